"""`seewhy.distill`: readable models that say what a network says, and what they are worth."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seewhy.api import ModelLike, Session
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.fitting import AUTO_KIND
from seewhy.concepts.naming import named_by_class
from seewhy.concepts.place import concept_features
from seewhy.concepts.stated import stated_concepts
from seewhy.core.method import AUTO
from seewhy.data.features import Features, Progress
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError, nearest
from seewhy.surrogates.basis import ConceptScores
from seewhy.surrogates.distilling import Course, Material, distilled
from seewhy.surrogates.frontier import POINTS
from seewhy.surrogates.kinds import kinds
from seewhy.surrogates.lesson import By, Splits, taught_classes
from seewhy.surrogates.reading import CONCEPTS, STATED, Reading, check_reading
from seewhy.surrogates.student import Student, names_of
from seewhy.surrogates.surrogate import Surrogate

Told = Callable[[str, int, int], None]
"""Is told which kind of student comes next, how many are done, of how many."""

ALL = "all"
COUNT = 16
"""Concepts that students read."""


@dataclass(frozen=True, eq=False)
class Distillation:
    """Students of one network, made from the same pictures and the same splits.

    Attributes:
        students: by kind.
        material: pictures, splits, and what the students read.
        session: holds the network.
    """

    students: dict[str, Student]
    material: Material
    session: Session


def distill(
    model: ModelLike,
    data: object,
    into: str | Sequence[str] = "linear",
    *,
    on: str | Dictionary = "concepts",
    count: int = COUNT,
    dictionary: str = AUTO_KIND,
    table: str | Path | None = None,
    key: str | None = None,
    layer: str = AUTO,
    teacher: By = "network",
    points: float = POINTS,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> Student | dict[str, Student]:
    """Fit readable models to what a network says, from its own frozen features, and measure how nearly they say it.

    Pictures are divided into three parts: concepts and students are fitted on the first, their size is chosen on the second, everything is reported on the
    third. Each student is made again from random directions instead of concepts: what it gains over these is what the concepts are worth.

    Args:
        model: a `seewhy.Model`, a network, or a name for `seewhy.load_model`; the built-in network if None.
        data: a folder, a list of files and folders, or ready inputs (inputs (n, c, h, w), labels (n,)); or `Features`.
        into: "linear", "tree", ..., a list of them, or "all".
        on: what students read: "concepts" (found here), "channels" (pooled features), "stated" (those that the network itself states), "superpixels" (which
            kinds of segments a picture has), "attributes" (what a table says of it), or a dictionary of concepts: of given ones, those that beat random
            pictures.
        count: how many concepts, or kinds of superpixels, are found.
        dictionary: how: "nmf", "pca", "kmeans", "sae" or "auto".
        table: for "attributes": a CSV file with a line for each picture, one column with its file name. Pictures without a line are left out.
        key: the column of the table with the file names; found by itself if None.
        layer: whose features are read; "auto" is the one that methods look at.
        teacher: "network", or "labels" to see what a readable model would lose against the truth.
        points: percentage points of fidelity that may be given up for a smaller model.
        fit: how pictures are fitted.
        cache: folder for the features, so that they are computed once.
        seed: of everything that is drawn.
        device: where the network runs.
        progress: is told how many pictures are done, of how many.

    Returns:
        A `Student`, or a dictionary of them by kind where several are asked for.

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> student = seewhy.distill(network, "photos/", into="tree")
        >>> student.fidelity, student.accuracy
        >>> print(student.text())
    """
    check_reading(on, table, key)
    session = Session(model, device=device, seed=seed)
    at = read_layer(session, on, layer)
    given = concept_features(session, data, at, fit=fit, cache=cache, progress=progress)
    course = Course(teacher, points, seed=seed)
    made = distillation(
        session, given, into, on=on, count=count, dictionary=dictionary, table=table, key=key, course=course
    )
    return made.students if into == ALL or not isinstance(into, str) else made.students[into]


def distillation(
    session: Session,
    given: Features,
    into: str | Sequence[str],
    *,
    on: str | Dictionary = "concepts",
    count: int = COUNT,
    dictionary: str = AUTO_KIND,
    table: str | Path | None = None,
    key: str | None = None,
    course: Course | None = None,
    source: Mapping[str, Any] | None = None,
    progress: Told | None = None,
) -> Distillation:
    """Return students with all that they were made from; see `distill`.

    Args:
        session: holds the network.
        given: its features.
        into, on, count, dictionary, table, key: as for `distill`.
        course: who teaches, and what may be given up for a smaller model.
        source: what else students say about what they were made from, such as the name of the model.
        progress: is told which kind of student comes next, how many are done, of how many.
    """
    course = course or Course()
    wanted = chosen_kinds(into)
    on = _stated(session, given.layer) if on == STATED else on
    reading = Reading.of(on, count, dictionary, table, key)
    given, notes = reading.known(given)
    splits = Splits.drawn(taught_classes(given, course.by), course.seed)
    basis = reading.basis(given, splits.fit, course.seed)
    if on == CONCEPTS and isinstance(basis, ConceptScores):
        basis = ConceptScores(named_by_class(basis.dictionary, given.part(splits.fit), session.model))
    material = Material(given, basis, splits, names_of(session.model.labels, given.outputs.shape[1]))
    about = session.provenance | {
        **({"source": dict(source)} if source else {}),
        "pictures": {"fit": len(splits.fit), "choose": len(splits.choose), "report": len(splits.report)},
        "points": course.points,
        "notes": list(notes),
    }
    students: dict[str, Student] = {}
    for name, kind in wanted.items():
        if progress is not None:
            progress(name, len(students), len(wanted))
        made = distilled(kind, material, course)
        students[name] = dataclasses.replace(made, about=about, fit=given.fit, session=session)
    return Distillation(students, material, session)


def read_layer(session: Session, on: str | Dictionary, layer: str = AUTO) -> str:
    """Return the layer that students read where none is named: that of the concepts that are given, or that the network states."""
    if layer != AUTO:
        return layer
    known = on if isinstance(on, Dictionary) else stated_concepts(session.model) if on == STATED else None
    return layer if known is None else known.layer


def chosen_kinds(into: str | Sequence[str]) -> dict[str, type[Surrogate]]:
    """Return the kinds of students that are asked for, by key; raise `ConfigError` where there is no such kind."""
    known = kinds()
    asked = list(known) if into == ALL else [into] if isinstance(into, str) else list(into)
    for key in asked:
        if key not in known:
            near = nearest(key, list(known))
            raise ConfigError(
                f"a network is distilled into {', '.join(known)} or {ALL}; got {key!r}"
                + (f"; nearest: {near}" if near else "")
            )
    return {key: known[key] for key in asked}


def _stated(session: Session, layer: str) -> Dictionary:
    """Return the concepts that the network states; raise `ConfigError` where it states none, or at another layer."""
    found = stated_concepts(session.model)
    if found is None or found.layer != layer:
        where = "" if found is None else f" at {layer!r}, but at {found.layer!r}: name that layer"
        raise ConfigError(f"{session.model.title} states no concepts of its own{where}; see seewhy.concepts.stated")
    return found
