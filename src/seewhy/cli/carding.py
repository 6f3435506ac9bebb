"""`seewhy unit`: one unit of a network on one card."""

import json
import re
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.units import Unit, unit
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.progress import watched
from seewhy.render.bar import figures
from seewhy.report.unit_words import importance_of

ENDINGS = ("html", "png", "json")
_MARKS = {True: "holds", False: "does not hold", None: "open"}


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    model: str
    unit: str
    data: list[Path]
    checkpoint: Path | None
    pictures: int
    top: int
    steps: int | None
    natural: int
    ablated: int
    out: Path
    fit: str | None
    cache: Path | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Make the card, write it, and say what stands on it."""
    with watched() as watch, console.usage():
        model = load_model(order.model, order.checkpoint)
        model.needs_preprocessing()
        folder = prepare(order.out)
        paths = {ending: folder / f"{file_stem(order.unit)}.unit.{ending}" for ending in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        session = Session(model, device=order.device, seed=order.seed)
        try:
            made = unit(
                session,
                order.unit,
                order.data,
                pictures=order.pictures,
                top=order.top,
                steps=order.steps,
                natural=order.natural,
                ablated=order.ablated,
                fit=chosen_fit(order.fit),
                seed=order.seed,
                cache=order.cache,
                progress=watch.passes,
                command=_command(order),
            )
        except KeyboardInterrupt:
            raise console.interrupted(0, 1) from None
        with all_or_none(paths.values()):
            for path in paths.values():
                made.save(path, force=order.force)
    if order.as_json:
        files = {ending: str(path) for ending, path in paths.items()}
        sys.stdout.write(json.dumps(made.numbers() | {"files": files}, indent=2) + "\n")
        return
    _tell(made, paths.values())


def file_stem(name: str) -> str:
    """Return a unit's or layer's name as that of a file, which never leaves its folder: "blocks.8:20" becomes "blocks.8-20"."""
    return re.sub(r"[^\w.+-]+", "-", name).strip(".-") or "unit"


def _tell(made: Unit, paths: Iterable[Path]) -> None:
    card, say = made.card, console.out().print
    say(f"unit {card.unit} of {card.model}, {card.pictures} pictures of {card.data}", markup=False)
    for line in card.cautions:
        say(f"  ! {line}", markup=False)
    say(f"  {card.verdict}", markup=False)
    for check in card.checks:
        say(f"  {check.name} {_MARKS[check.holds]}: {check.figure}", markup=False)
    for heading, classes in (("for", card.speaks_for), ("against", card.speaks_against)):
        if classes:
            listed = ", ".join(f"{one.name} {figures(one.weight.value)}" for one in classes[:3])
            say(f"  speaks {heading} {listed}", markup=False)
    if card.importance:
        say(f"  {importance_of(card)}", markup=False)
    for path in paths:
        say(f"wrote  {path}", markup=False)


def _command(order: Order) -> str:
    """Return the command that makes the same card again."""
    words = ["seewhy", "unit", order.model, order.unit]
    for path in order.data:
        words += ["--data", str(path)]
    for name, value, usual in (
        ("--pictures", order.pictures, 4),
        ("--top", order.top, 9),
        ("--steps", order.steps, None),
        ("--natural", order.natural, 512),
        ("--ablated", order.ablated, 256),
        ("--fit", order.fit, None),
        ("--checkpoint", order.checkpoint, None),
        ("--seed", order.seed, 0),
    ):
        words += [name, str(value)] if value != usual else []
    return shlex.join(words)
