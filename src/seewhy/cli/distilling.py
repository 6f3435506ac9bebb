"""`seewhy distill`: readable models of a network, as pages, numbers and text."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table as Lines
from rich.text import Text

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.distilling import ALL, Distillation, chosen_kinds, distillation, read_layer
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.progress import Watch, watched
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.place import concept_features
from seewhy.core.method import AUTO
from seewhy.data.features import Features
from seewhy.errors import ConfigError, DataError
from seewhy.report.comparison_page import comparison_page
from seewhy.report.student_comparison import Compared, compared, comparison_csv, comparison_numbers
from seewhy.report.student_page import student_numbers, student_page
from seewhy.report.student_words import shared_cautions
from seewhy.surrogates.distilling import Course
from seewhy.surrogates.reading import check_reading
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import points, share, span

TEACHERS = ("network", "labels")
ENDINGS = ("html", "json", "txt")
"""Of the files of each student."""
TOGETHER = ("html", "csv", "json")
"""Of the files about several."""
MOST_LEFT_OUT = 5
"""Broken pictures that the terminal names."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    model: str
    data: Path
    into: str
    on: str
    table: Path | None
    key: str | None
    count: int
    layer: str | None
    teacher: Any
    points: float
    out: Path
    fit: str | None
    checkpoint: Path | None
    cache: Path | None
    as_json: bool
    force: bool
    seed: int
    device: str | None

    @property
    def kinds(self) -> str | list[str]:
        """Which students are wanted."""
        return self.into if self.into == ALL else [one.strip() for one in self.into.split(",")]

    @property
    def stem(self) -> str:
        """What the names of files begin with."""
        return (self.data.stem if self.data.is_file() else self.data.resolve().name) or "pictures"


def run(order: Order) -> None:
    """Distill, write the files, print the table."""
    with watched() as watch, console.usage():
        if order.teacher not in TEACHERS:
            raise ConfigError(f"--teacher is 'network' or 'labels', got {order.teacher!r}")
        if not order.data.exists():
            raise DataError(f"{order.data}: no such folder")
        wanted = chosen_kinds(order.kinds)
        folder = prepare(order.out)
        paths = _paths(folder, order.stem, list(wanted))
        refuse_existing(paths.values(), force=order.force)
        made = _distilled(order, watch)
        with all_or_none(paths.values()):
            for key, content in _contents(order, made, paths).items():
                render.write_bytes(paths[key], content, force=order.force)
    if order.as_json:
        sys.stdout.write(json.dumps(_told(made, paths), indent=2, allow_nan=False) + "\n")
        return
    _tell(made, paths)


def _paths(folder: Path, stem: str, kinds: list[str]) -> dict[tuple[str, str], Path]:
    """Return the files by kind and ending; the kind "" is about all of them."""
    paths = {(kind, end): folder / f"{stem}.{kind}.student.{end}" for kind in kinds for end in ENDINGS}
    together = {("", end): folder / f"{stem}.students.{end}" for end in TOGETHER} if len(kinds) > 1 else {}
    return paths | together


def _distilled(order: Order, watch: Watch) -> Distillation:
    on = _on(order.on)
    check_reading(on, order.table, order.key)
    session = Session(load_model(order.model, order.checkpoint), device=order.device, seed=order.seed)
    given = concept_features(
        session,
        order.data,
        read_layer(session, on, order.layer or AUTO),
        fit=chosen_fit(order.fit),
        cache=order.cache,
        progress=lambda done, total: watch.passes("pictures", done, total),
    )
    watch.advance()
    course = Course(order.teacher, order.points, seed=order.seed)
    return distillation(
        session,
        given,
        order.kinds,
        on=on,
        table=order.table,
        key=order.key,
        count=order.count,
        course=course,
        source={"model": order.model, "checkpoint": order.checkpoint and str(order.checkpoint)},
        progress=lambda kind, done, total: watch.passes(f"students: {kind}", done, total),
    )


def _on(given: str) -> str | Dictionary:
    return load_dictionary(given) if given.endswith(".safetensors") else given


def _contents(order: Order, made: Distillation, paths: Mapping[tuple[str, str], Path]) -> dict[tuple[str, str], bytes]:
    contents: dict[tuple[str, str], bytes] = {}
    name, command, model = order.data.name or str(order.data), _command(order), made.session.model
    for kind, student in made.students.items():
        page = student_page(student, made.material, model, name=name, command=command)
        contents[kind, "html"] = page.encode()
        contents[kind, "json"] = student.json().encode()
        contents[kind, "txt"] = student.document().encode()
    if ("", "html") in paths:
        rows = _rows(made)
        links = {kind: paths[kind, "html"].name for kind in made.students}
        page = comparison_page(
            made.students, links, name=name, parameters=_parameters(made), command=command, broken=_broken(made)
        )
        contents["", "html"] = page.encode()
        contents["", "csv"] = comparison_csv(rows).encode()
        contents["", "json"] = json.dumps(comparison_numbers(rows), indent=1, allow_nan=False).encode()
    return contents


def _rows(made: Distillation) -> list[Compared]:
    return compared(made.students, _parameters(made))


def _parameters(made: Distillation) -> int:
    return sum(one.numel() for one in made.session.model.module.parameters())


def _broken(made: Distillation) -> Mapping[str, str]:
    given: Features = made.material.features
    return given.data.broken


def _told(made: Distillation, paths: Mapping[tuple[str, str], Path]) -> dict[str, Any]:
    """Return the numbers of all students and where the files are."""
    return {
        "students": {kind: student_numbers(student) for kind, student in made.students.items()},
        "models": comparison_numbers(_rows(made))["models"],
        "left out": dict(_broken(made)),
        "files": [str(path) for path in paths.values()],
    }


def _tell(made: Distillation, paths: Mapping[tuple[str, str], Path]) -> None:
    say, students = console.out().print, made.students
    one = next(iter(students.values()))
    given = one.about["pictures"]
    say(f"{one.heading if len(students) == 1 else _together(one)}: reads {one.basis.told}", markup=False)
    say(
        f"  {given['fit']} pictures to fit on, {given['choose']} to choose the size, {given['report']} to report on",
        markup=False,
    )
    say(_table(_rows(made), labelled=one.report.accuracy is not None))
    for student in students.values():
        about = f"{student.kind}: " if len(students) > 1 else ""
        say(f"{about}{student.verdict()[1]}", markup=False)
    if len(students) == 1:
        say("\n" + one.text() + "\n", markup=False)
    for line in shared_cautions(one):
        console.say(f"note: {line}")
    for name, why in list(_broken(made).items())[:MOST_LEFT_OUT]:
        console.say(f"left out: {name}: {why}")
    if len(_broken(made)) > MOST_LEFT_OUT:
        console.say(f"left out: {len(_broken(made)) - MOST_LEFT_OUT} more that could not be read")
    shown = [path for (kind, _), path in paths.items() if len(students) == 1 or not kind]
    for path in shown:
        say(f"wrote  {path}", markup=False)
    if len(paths) > len(shown):
        say(f"wrote  {len(paths) - len(shown)} more files beside these: {', '.join(ENDINGS)} of each", markup=False)


def _together(student: Student) -> str:
    return f"{student.about.get('model') or 'the network'} beside models that people can read"


def _table(rows: list[Compared], *, labelled: bool) -> Lines:
    """Return a line for each model: the network, the students, and what they gain over random directions."""
    made = Lines(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column("model")
    titles = ["fidelity", *(["accuracy", "same error"] if labelled else []), "random", "gain", "seconds"]
    for title in titles:
        made.add_column(title, justify="right")
    made.add_column("size")
    for row in rows:
        interval = "" if row.kind == "network" else f" ({span(row.fidelity)})"
        right = [("" if one is None else share(one.value)) for one in (row.accuracy, row.on_errors)] if labelled else []
        control = "" if row.control is None else share(row.control)
        gap = "" if row.gap is None else points(row.gap.value)
        seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
        cells = [row.title, share(row.fidelity.value) + interval, *right, control, gap, seconds, row.size]
        made.add_row(*map(Text, cells))
    return made


def _command(order: Order) -> str:
    """Return the command that makes the same files again."""
    stated: Mapping[str, object] = {
        "--into": order.into,
        "--on": order.on if order.on != "concepts" else None,
        "--count": order.count,
        "--layer": order.layer,
        "--teacher": order.teacher if order.teacher != TEACHERS[0] else None,
        "--points": order.points,
        "--fit": order.fit,
        "--checkpoint": order.checkpoint,
        "--seed": order.seed or None,
    }
    parts = ["seewhy", "distill", order.model, str(order.data)]
    return shlex.join(
        [*parts, *(part for key, value in stated.items() if value is not None for part in (key, str(value)))]
    )
