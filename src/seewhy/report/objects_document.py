"""The objects of one photo as a document: explained, then written as page, picture and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from PIL import Image

from seewhy.core.explanation import Explanation
from seewhy.core.method import Method
from seewhy.core.sample import Sample
from seewhy.data.truth import Truth
from seewhy.engine.joining import joined
from seewhy.engine.probe import LOST
from seewhy.engine.session import Session
from seewhy.evaluation.object_evidence import measured
from seewhy.evaluation.objects import Thing, explained, things, total_cost
from seewhy.report.document import Document
from seewhy.report.examine import shrunk
from seewhy.report.objects import FoundObjects, ObjectFinding
from seewhy.report.objects_page import objects_page
from seewhy.report.objects_picture import objects_picture

MOST = 8
"""Objects that are explained, of those found and of those missed, where nothing else is said."""


@dataclass(frozen=True, eq=False)
class ObjectsReport(FoundObjects, Document):
    """The objects of one photo: what was found, and where a ground truth is given what was missed; attributes as of `FoundObjects`."""

    noun: ClassVar = "a report on objects"

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it to a `.html`, `.png` or `.json` file, or its maps to a `.npz`, which `Explanation.load` reads."""
        if Path(path).suffix.lower() == ".npz":
            return self.maps.save(path, force=force)
        return super().save(path, force=force)

    def page(self) -> str:
        """Return all of it as one HTML file."""
        return objects_page(self)

    def picture(self) -> Image.Image:
        """Draw all of it as one picture."""
        return objects_picture(self)


def objects_report(
    session: Session,
    sample: Sample,
    method: Method,
    truths: Sequence[Truth] | None = None,
    *,
    most: int = MOST,
    command: str = "",
    notes: Sequence[str] = (),
) -> ObjectsReport:
    """Explain the objects of one photo.

    Args:
        session: runs a detector, whose `Model(output=...)` reads its rows.
        sample: the photo.
        method: makes the maps.
        truths: marked objects; those that were missed are explained, too.
        most: objects that are explained, of the found and of the missed.
        command: makes the report again.
        notes: what a reader must know beside what is found out here.

    Raises:
        TargetError: the model is no detector, or there is nothing to explain.
    """
    listed, said = things(session, sample, truths, most)
    made = explained(session, sample, listed, method)
    photo = shrunk(sample.view())
    found = tuple(_finding(one, thing, photo) for one, thing in zip(made, listed, strict=True))
    ends: dict[bool, float] = {}
    for missed in (False, True):
        ends[missed] = max(
            (one.scale_end() for one, thing in zip(made, listed, strict=True) if (thing.status == "missed") is missed),
            default=0.0,
        )
    shared = [note for note in found[0].notes if all(note in one.notes for one in found)]
    first = made[0]
    return ObjectsReport(
        name=sample.name,
        photo=photo,
        size=sample.view().size,
        model=session.model.title,
        method=first.method,
        objects=tuple(replace(one, notes=tuple(note for note in one.notes if note not in shared)) for one in found),
        limits=ends,
        map_unit=first.map_unit,
        scale_words=f"{first.scale_words} over all maps of its kind",
        notes=(*notes, *said, *shared),
        cost=total_cost(made),
        maps=joined([replace(one, figures={}) for one in made]),
        command=command,
        provenance=first.provenance | {"method": first.method.key, "settings": first.method.settings()},
    )


def _finding(made: Explanation, thing: Thing, photo: Image.Image) -> ObjectFinding:
    figures = {name: values[0] for name, values in made.figures.items() if name != LOST}
    return ObjectFinding(
        thing=thing,
        score=float(made.score[0]),
        unit=made.unit,
        heatmap=made.in_source(0, (photo.height, photo.width)).float().numpy(),
        evidence=measured(made, thing),
        lost=made.figures[LOST][0] if LOST in made.figures else None,
        notes=tuple(note for note in made.notes[0] if ": not found in " not in note),  # stands in a column of its own
        figures=figures,
    )
