"""`seewhy predict`: what a student says of photos, and why, beside the network."""

import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import DEFAULT_METHOD, Session
from seewhy.cli import console
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.photos import photo_by_photo
from seewhy.errors import ModelError
from seewhy.report.reasoning_page import reasoning_numbers, reasoning_page, reasoning_picture
from seewhy.report.reasoning_view import reasoning_view
from seewhy.surrogates.student import Student
from seewhy.surrogates.student_file import load_student

ENDINGS = ("html", "png", "json")


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    student: Path
    photos: list[Path]
    model: str | None
    table: Path | None
    checkpoint: Path | None
    out: Path
    as_json: bool
    force: bool
    device: str | None


@dataclass(frozen=True)
class Job:
    """What all photos share."""

    order: Order
    student: Student
    session: Session
    folder: Path

    def show(self, photo: Path, stem: str) -> dict[str, Any]:
        """Ask about one photo, write its files, print what the student says; return the numbers."""
        order, student = self.order, self.student
        paths = {end: self.folder / f"{stem}.{student.kind}.why.{end}" for end in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        given = student.features(photo)
        explanation = self.session.explain(photo, methods=DEFAULT_METHOD, fit=student.fit)
        view = reasoning_view(student, given, self.session, explanation)
        numbers = reasoning_numbers(view.reasoning)
        with all_or_none(paths.values()):
            contents = {
                "html": reasoning_page(
                    student, view, command=_command(order, photo), provenance=student.about
                ).encode(),
                "png": render.png_bytes(reasoning_picture(student, view)),
                "json": json.dumps(numbers, indent=1, allow_nan=False).encode(),
            }
            for end, content in contents.items():
                render.write_bytes(paths[end], content, force=order.force)
        if not order.as_json:
            say = console.out().print
            say(str(photo), markup=False)
            for line in view.reasoning.lines():
                say(f"  {line}".rstrip(), markup=False)
            for path in paths.values():
                say(f"wrote  {path}", markup=False)
        return numbers | {"files": {end: str(path) for end, path in paths.items()}}


def run(order: Order) -> None:
    """Ask about every photo; end with exit code 3 where some failed."""
    photo_by_photo(order.photos, lambda _: _settled(order).show, as_json=order.as_json)


def _settled(order: Order) -> Job:
    student = load_student(order.student, table=order.table)
    name, checkpoint = _model(order, student)
    session = Session(load_model(name, checkpoint), device=order.device)
    student.check_network(session.model)
    return Job(order, replace(student, session=session), session, prepare(order.out))


def _model(order: Order, student: Student) -> tuple[str, Path | None]:
    """Return the name and weights of the network; a file that names Python code is not believed: whoever runs it must say so."""
    if order.model is not None:
        return order.model, order.checkpoint
    source = student.about.get("source")
    stated = source if isinstance(source, dict) else {}
    name, checkpoint = stated.get("model"), order.checkpoint or stated.get("checkpoint")
    if not isinstance(name, str):
        raise ModelError(f"{order.student.name} does not name its network; give --model")
    if ".py" in name:
        weights = f" --checkpoint {shlex.quote(str(checkpoint))}" if checkpoint else ""
        raise ModelError(
            f"the student was made for {name}, which is code; a student's file does not get to run code: "
            f"if you trust it, add --model {shlex.quote(name)}{weights}"
        )
    return name, Path(str(checkpoint)) if checkpoint else None


def _command(order: Order, photo: Path) -> str:
    words = ["seewhy", "predict", str(order.student), str(photo)]
    words += ["--model", order.model] if order.model else []
    words += ["--checkpoint", str(order.checkpoint)] if order.checkpoint else []
    words += ["--table", str(order.table)] if order.table else []
    return shlex.join(words)
