"""`seewhy objects`: what a detector found in each photo and what it missed, with the evidence for each."""

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.objects import chosen, objects, rise
from seewhy.choice import AUTO_METHOD
from seewhy.cli import console
from seewhy.cli.choosing import MethodOrder, chosen_method
from seewhy.cli.explaining import check_layer, chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.photos import photo_by_photo
from seewhy.cli.progress import Watch
from seewhy.core.detection import rows_of
from seewhy.core.method import Method
from seewhy.report import objects_words as words
from seewhy.report.objects_document import ObjectsReport

ENDINGS = ("npz", "html", "png", "json")


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photos: list[Path]
    model: str
    checkpoint: Path | None
    method: str
    about: MethodOrder
    truth: Path | None
    classes: Path | None
    most: int
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Do every photo; end with exit code 3 where some failed."""
    photo_by_photo(order.photos, partial(_settled, order), as_json=order.as_json)


def _settled(order: Order, watch: Watch) -> Any:
    """Settle what all photos share, so that a mistake in it costs no work."""
    model = load_model(order.model, order.checkpoint)
    model.needs_preprocessing()
    rows_of(model.output, "seewhy objects")
    session = Session(model, device=order.device, seed=order.seed, progress=watch.passes)
    method, folder, fit = _method(order, session), prepare(order.out), chosen_fit(order.fit)
    check_layer(session, method)

    def show(photo: Path, stem: str) -> dict[str, Any]:
        paths = {ending: folder / f"{stem}.objects.{ending}" for ending in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        made = objects(
            photo,
            session,
            order.truth,
            method=method,
            classes=order.classes,
            most=order.most,
            fit=fit,
            command=_command(order, photo),
        )
        with all_or_none(paths.values()):
            for path in paths.values():
                made.save(path, force=order.force)
        if not order.as_json:
            _tell(made, list(paths.values()))
        return made.numbers() | {"files": {ending: str(path) for ending, path in paths.items()}}

    return show


def _method(order: Order, session: Session) -> Method:
    """Return the method; what is said about it changes the one that is chosen by itself, too."""
    if order.method != AUTO_METHOD:
        return chosen_method(order.method, order.about, session.model)
    found = chosen(session, AUTO_METHOD)
    if order.about == MethodOrder():
        return found
    settings = tuple(f"{name}={value}" for name, value in (("samples", 1000), ("cells", 12)) if found == rise())
    return chosen_method(
        found.key, MethodOrder((*settings, *order.about.settings), *_rest(order.about)), session.model, lenient=True
    )


def _rest(about: MethodOrder) -> tuple[str | None, ...]:
    return about.layer, about.budget, about.segments, about.fill


def _tell(made: ObjectsReport, paths: list[Path]) -> None:
    def say(text: str) -> None:
        console.out().print(text, markup=False, highlight=False)

    say(f"{made.name}  {made.size[0]} x {made.size[1]}  {made.model}  {made.method.title}, {made.cost}")
    for one in made.objects:
        status = "" if one.thing.status in ("found", "missed") else f"  ({words.STATUS[one.thing.status]})"
        say(f"  {one.title}{status}")
        for line in words.where(one):
            say(f"      {line}")
    for note in made.notes:
        say(f"  {note}")
    for path in paths:
        say(f"wrote  {path}")


def _command(order: Order, photo: Path) -> str:
    """Return the command that makes the same page again."""
    said = ["seewhy", "objects", str(photo), "--model", order.model]
    for name, value, usual in (
        ("--checkpoint", order.checkpoint, None),
        ("--method", order.method, AUTO_METHOD),
        ("--truth", order.truth, None),
        ("--classes", order.classes, None),
        ("--most", order.most, 8),
        ("--fit", order.fit, None),
        ("--seed", order.seed, 0),
    ):
        said += [name, str(value)] if value != usual else []
    return shlex.join(said + order.about.words())
