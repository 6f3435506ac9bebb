"""`seewhy concepts`: what a layer's features are made of, as page, picture, numbers and dictionary."""

import json
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text
from typer import Exit

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api.discovering import discover
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, plain_name, prepare, refuse_existing
from seewhy.cli.progress import watched
from seewhy.concepts.discovered import Concepts
from seewhy.core.method import AUTO
from seewhy.errors import ConfigError
from seewhy.report import concepts_words as words
from seewhy.report.concepts_page import concepts_page
from seewhy.report.concepts_picture import concepts_picture

ENDINGS = ("html", "png", "json", "safetensors")
MOST_LINES = 20
"""Concepts that the terminal lists."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    data: Path
    model: str
    layer: str | None
    count: int
    kind: str
    source: str
    dictionary: Path | None
    by: Any
    names: str
    top: int
    out: Path
    fit: str | None
    checkpoint: Path | None
    cache: Path | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Find concepts, write the files, print the table; end with exit code 3 where some pictures could not be used."""
    with watched() as watch, console.usage():
        folder, stem = prepare(order.out), plain_name(order.data.resolve().stem)
        if order.layer is not None:  # so that a file that is there costs no work
            refuse_existing(_paths(folder, stem, order.layer).values(), force=order.force)
        found = discover(
            load_model(order.model, order.checkpoint),
            order.data,
            layer=order.layer or AUTO,
            count=order.count,
            kind=order.kind,
            source=order.source,
            dictionary=order.dictionary,
            by=order.by,
            names=_names(order.names),
            top=order.top,
            fit=chosen_fit(order.fit),
            cache=order.cache,
            seed=order.seed,
            device=order.device,
            progress=lambda done, total: watch.passes("concepts", done, total),
        )
        paths = _paths(folder, stem, found.dictionary.layer)
        refuse_existing(paths.values(), force=order.force)
        page = concepts_page(found, _command(order, found)).encode()
        picture = render.png_bytes(concepts_picture(found))
        with all_or_none(paths.values()):
            found.save(paths["json"], force=order.force)
            render.write_bytes(paths["html"], page, force=order.force)
            render.write_bytes(paths["png"], picture, force=order.force)
    broken = found.features.data.broken
    for name, why in broken.items():
        console.say(f"left out: {why if name in why else f'{name}: {why}'}")
    if order.as_json:
        files = {ending: str(path) for ending, path in paths.items()}
        sys.stdout.write(json.dumps(found.numbers() | {"files": files}, indent=1, allow_nan=False) + "\n")
    else:
        _tell(found, paths.values())
    if broken:
        raise Exit(console.SOME_FAILED)


def _paths(folder: Path, stem: str, layer: str) -> dict[str, Path]:
    return {ending: folder / f"{stem}.{plain_name(layer)}.concepts.{ending}" for ending in ENDINGS}


def _names(given: str) -> str | None:
    if given not in ("classes", "numbers"):
        raise ConfigError(f"--names is 'classes' or 'numbers', got {given!r}; names of your own are for Python")
    return None if given == "numbers" else given


def _tell(found: Concepts, paths: Iterable[Path]) -> None:
    say = console.out().print
    say(words.title(found), markup=False)
    say(f"  {words.subtitle(found)}", markup=False)
    for figure, text in words.tiles(found):
        say(f"  {figure} {text}", markup=False)
    for line in words.cautions(found):
        say(f"  ! {line}", markup=False)
    say(_lines(found))
    if len(found) > MOST_LINES:
        say(f"  … and {len(found) - MOST_LINES} more, in the files", markup=False)
    for line in words.notes(found):
        say(f"  {line}", markup=False)
    for path in paths:
        say(f"wrote  {path}", markup=False)


def _lines(found: Concepts) -> Table:
    """Return the first concepts as lines."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column("", justify="right")
    made.add_column("concept", overflow="fold")
    for title in (f"importance: {words.SCALES[found.by]}", "stability", "share", "speaks for"):
        made.add_column(title)
    for place, one in enumerate(found.concepts[:MOST_LINES], 1):
        speaks = ", ".join(f"{name} {value}" for name, value in words.speaks(one, 2))
        shown = [one.note] if one.note else [words.size_text(one, found.by), words.stability_text(one)]
        cells = [*shown, *([words.share_text(one), speaks] if not one.note else [])]
        made.add_row(*map(Text, (str(place), one.name, *cells)))
    return made


def _command(order: Order, found: Concepts) -> str:
    """Return the command that makes the same page again."""
    parts: list[Any] = ["seewhy", "concepts", order.data, "--model", order.model, "--layer", found.dictionary.layer]
    own = order.dictionary is None
    for name, value, usual in (
        ("--count", order.count if own else None, None),
        ("--kind", order.kind if own else "auto", "auto"),
        ("--source", order.source if own else "positions", "positions"),
        ("--dictionary", order.dictionary, None),
        ("--by", order.by, "shapley"),
        ("--names", order.names, "classes"),
        ("--top", order.top, 8),
        ("--fit", order.fit, None),
        ("--checkpoint", order.checkpoint, None),
        ("--seed", order.seed, 0),
    ):
        parts += [name, value] if value != usual else []
    return shlex.join(map(str, parts))
