"""`seewhy tcav`: given concepts tried on a network, as page, picture and numbers."""

import json
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table as Lines
from rich.text import Text

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.probing import Probing, probing, trial_of
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.progress import watched
from seewhy.concepts.erasure import Erased
from seewhy.concepts.sensitivity import Sensitivity, TriedConcept
from seewhy.core.method import AUTO
from seewhy.data.table import csv_text
from seewhy.errors import DataError
from seewhy.report import tcav_words as words
from seewhy.report.tcav_page import tcav_page
from seewhy.report.tcav_picture import tcav_picture
from seewhy.report.tcav_strips import shown

ENDINGS = ("html", "png", "json", "csv", "safetensors")
MOST_LINES = 24
"""Effects that the terminal lists."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    concepts: Path
    data: Path
    model: str
    checkpoint: Path | None
    layer: str | None
    classes: list[str]
    random: Path | None
    way: str
    repeats: int
    erase: bool
    out: Path
    fit: str | None
    cache: Path | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Try the concepts, write the files, print the table."""
    with watched(), console.usage():
        trial = trial_of(order.way, order.repeats, order.seed)
        for folder in (order.concepts, order.data, *filter(None, [order.random])):
            if not folder.is_dir():
                raise DataError(f"{folder}: no such folder")
        out = prepare(order.out)
        stem = order.concepts.resolve().name or "concepts"
        paths = {ending: out / f"{stem}.tcav.{ending}" for ending in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        session = Session(load_model(order.model, order.checkpoint), device=order.device, seed=order.seed)
        session.model.needs_preprocessing()
        made = probing(
            session,
            order.data,
            order.concepts,
            layer=order.layer or AUTO,
            classes=order.classes or None,
            random=order.random,
            trial=trial,
            erase=order.erase,
            fit=chosen_fit(order.fit),
            cache=order.cache,
        )
        with all_or_none(paths.values()):
            for ending, content in _contents(order, made).items():
                render.write_bytes(paths[ending], content, force=order.force)
            made.found.vectors.save(paths["safetensors"], force=order.force)
    if order.as_json:
        files = {ending: str(path) for ending, path in paths.items()}
        sys.stdout.write(json.dumps(made.found.numbers() | {"files": files}, indent=2, allow_nan=False) + "\n")
        return
    _tell(made.found, order.data.resolve().name, paths.values())


def _contents(order: Order, made: Probing) -> dict[str, bytes]:
    numbers, name = made.found.numbers(), order.data.resolve().name
    pictures = shown(made.found, made.given.concepts, made.data, made.session.model)
    return {
        "json": json.dumps(numbers, indent=1, allow_nan=False).encode(),
        "csv": table_text(made.found).encode(),
        "png": render.png_bytes(tcav_picture(made.found, pictures, name)),
        "html": tcav_page(made.found, numbers, pictures, name=name, command=_command(order)).encode(),
    }


def table_text(found: Sensitivity) -> str:
    """Return everything as CSV: a line for each concept and class."""
    spans = [
        f"{what}{end}" for what in ("tcav", "effect") for end in ("", " low", " high", " random low", " random high")
    ]
    lost = ["recall", "lost", "lost low", "lost high", "lost matched", "lost matched worst", "lost random"]
    header = ["concept", "told apart", "accuracy", "class", "direction", *spans, "p", "corrected p", *lost]
    return csv_text(header, [row for concept in found.concepts for row in _rows(found, concept)])


def _rows(found: Sensitivity, concept: TriedConcept) -> list[list[object]]:
    rows = []
    for one in concept.influences:
        row: list[object] = [
            concept.name,
            concept.verified,
            concept.gate.accuracy,
            found.classes[one.category],
            one.direction,
        ]
        for value, band in ((one.share, one.random_share), (one.effect, one.random_effect)):
            row += [value.value, value.low, value.high, *band]
        row += [one.chance, one.corrected]
        row += _lost(concept.erasure.classes.get(one.category) if concept.erasure else None)
        rows.append(row)
    return rows


def _lost(gone: Erased | None) -> list[object]:
    if gone is None:
        return [""] * 7
    fall = gone.fall
    return [gone.before, fall.value, fall.low, fall.high, gone.matched.value, gone.worst, gone.random.value]


def _tell(found: Sensitivity, name: str, paths: Iterable[Path]) -> None:
    say = console.out().print
    say(words.heading(found), markup=False)
    for line in words.asked(found, name):
        say(f"  {line}", markup=False)
    for line in words.lines(found):
        say(line, markup=False)
    say(_gates(found))
    say(_effects(found))
    for note in found.notes:
        say(f"  {note}", markup=False)
    for concept, why in found.left_out.items():
        console.say(f"left out: {concept}: {why}")
    for picture, why in list(found.broken.items())[:5]:
        console.say(f"left out: {picture}: {why}")
    if len(found.broken) > 5:
        console.say(f"left out: {len(found.broken) - 5} more that could not be read")
    for path in paths:
        say(f"wrote  {path}", markup=False)


def _gates(found: Sensitivity) -> Lines:
    made = _table("concept", "pictures", "told apart", "random pictures", "p", "")
    for concept in found.concepts:
        low, high = concept.gate.random
        made.add_row(
            *map(
                Text,
                (
                    concept.name,
                    str(concept.pictures),
                    f"{concept.gate.accuracy:.2f}",
                    f"{low:.2f} to {high:.2f}",
                    words.chance(concept.corrected, concept.gate).removeprefix("p ").removeprefix("= "),
                    "" if concept.verified else "no better than random pictures",
                ),
            )
        )
    return made


def _effects(found: Sensitivity) -> Lines:
    """Return the largest effects, those first that random pictures do not have."""
    listed = [(concept, one) for concept in found.concepts if concept.verified for one in concept.influences]
    listed.sort(key=lambda pair: (not pair[1].significant, -abs(pair[1].effect.value)))
    made = _table("concept", "class", "TCAV", "effect, logits", "random pictures", "p", "", "without it")
    for concept, one in listed[:MOST_LINES]:
        gone = concept.erasure.classes.get(one.category) if concept.erasure else None
        low, high = one.random_effect
        cells = (
            concept.name,
            found.classes[one.category],
            f"{one.share.value:.2f}",
            f"{one.effect.value:+.1f} ({one.effect.low:+.1f} to {one.effect.high:+.1f})",
            f"{low:+.1f} to {high:+.1f}",
            words.chance(one.corrected, one).removeprefix("p ").removeprefix("= "),
            one.direction,
            "" if gone is None else f"{100 * gone.before:.0f} % right → {100 * (gone.before - gone.fall.value):.0f} %",
        )
        made.add_row(*map(Text, cells))
    return made


def _table(*titles: str) -> Lines:
    made = Lines(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        made.add_column(title, overflow="fold")
    return made


def _command(order: Order) -> str:
    """Return the command that makes the same page again."""
    stated = {
        "--model": order.model,
        "--checkpoint": order.checkpoint,
        "--layer": order.layer,
        "--random": order.random,
        "--way": order.way if order.way != "mean difference" else None,
        "--repeats": order.repeats if order.repeats != 200 else None,
        "--fit": order.fit,
        "--seed": order.seed or None,
    }
    parts = ["seewhy", "tcav", str(order.concepts), str(order.data)]
    parts += [part for name, value in stated.items() if value is not None for part in (name, str(value))]
    parts += [part for name in order.classes for part in ("--class", name)]
    return shlex.join([*parts, *([] if order.erase else ["--no-erasure"])])
