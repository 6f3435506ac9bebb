"""`seewhy importance`: what counts, over one photo or a folder of them."""

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table as Lines
from rich.text import Text

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api.weighing import importance
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.progress import watched
from seewhy.concepts.stated import stated_concepts
from seewhy.contributions.table import Estimate, Importance
from seewhy.core.sample import Sample
from seewhy.data.picture import sample
from seewhy.data.table import csv_text
from seewhy.engine.model import Model
from seewhy.errors import ConfigError, nearest
from seewhy.render.bar import figures
from seewhy.report import importance_words as words
from seewhy.report.importance_page import importance_page
from seewhy.report.importance_picture import importance_picture
from seewhy.targets.classes import find_class

ENDINGS = ("html", "png", "json", "csv")
MOST_LINES = 20
"""Units that the terminal lists."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    source: Path
    of: str
    model: str
    checkpoint: Path | None
    layer: str | None
    target: str | None
    by: str
    replace: str | None
    masks: Path | None
    table: Path | None
    key: str | None
    dictionary: Path | None
    count: int | None
    group: float | None
    interactions: bool
    budget: str | None
    cache: Path | None
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Measure, write the files, print the table."""
    with watched() as watch, console.usage():
        _check(order)
        model = load_model(order.model, order.checkpoint)
        _check_concepts(order, model)
        folder = prepare(order.out)
        stem = (order.source.stem if order.source.is_file() else order.source.resolve().name) or "importance"
        paths = {ending: folder / f"{stem}.importance.{order.of}.{ending}" for ending in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        model.needs_preprocessing()
        found = _measured(order, model, watch.passes)
        photo = _photo(order, model, found)
        with all_or_none(paths.values()):
            for ending, content in _contents(order, found, photo).items():
                render.write_bytes(paths[ending], content, force=order.force)
    if order.as_json:
        files = {ending: str(path) for ending, path in paths.items()}
        sys.stdout.write(json.dumps(found.numbers() | {"files": files}, indent=2, allow_nan=False) + "\n")
        return
    _tell(found, order.source.name, paths.values())


def _check_concepts(order: Order, model: Model) -> None:
    """Raise `ConfigError` where concepts are asked for, none are given, and the network states none of its own."""
    if order.of == "concepts" and order.dictionary is None and stated_concepts(model) is None:
        raise ConfigError(
            f"--of concepts takes --dictionary FILE, which `seewhy concepts` writes; {model.title} states no concepts of its own"
        )


def _check(order: Order) -> None:
    """Raise `ConfigError` for options that do not go together, before any work is done."""
    if order.of not in words.ONE:
        near = nearest(order.of, list(words.ONE))
        raise ConfigError(
            f"--of is one of {', '.join(words.ONE)}; got {order.of!r}{f'; nearest: {near}' if near else ''}"
        )
    attributes = order.of == "attributes"
    if attributes and order.table is None:
        raise ConfigError(
            "--of attributes takes --table CSV: one column with the file names of the pictures, the others what is known of them"
        )
    if not attributes and (order.table is not None or order.key is not None):
        raise ConfigError(f"--table and --key are for --of attributes, not for --of {order.of}")
    if order.dictionary is not None and order.of != "concepts":
        raise ConfigError(f"--dictionary is for --of concepts, not for --of {order.of}")
    if order.masks is not None and order.of != "foreground":
        raise ConfigError(f"--masks is for --of foreground, not for --of {order.of}")
    unfit = [
        name
        for name, given in (
            ("--replace", order.replace),
            ("--layer", order.layer),
            ("--group", order.group),
            ("--budget", order.budget),
            ("--interactions", order.interactions or None),
            ("--cache", order.cache),
            ("--by", order.by if order.by != "ablation" else None),
        )
        if given is not None
    ]
    if attributes and unfit:
        raise ConfigError(f"{', '.join(unfit)}: not for --of attributes, whose columns are shuffled")


def _measured(order: Order, model: Model, progress: Any) -> Importance:
    settings: dict[str, Any] = (
        {"table": order.table, "key": order.key}
        if order.of == "attributes"
        else {
            "by": order.by,
            "replace": order.replace,
            "layer": order.layer,
            "masks": order.masks,
            "dictionary": order.dictionary,
            "count": order.count,
            "group": order.group,
            "interactions": order.interactions,
            "budget": _budget(order.budget),
        }
    )
    return importance(
        model,
        order.source,
        of=order.of,
        target=_target(model, order.target),
        fit=chosen_fit(order.fit),
        cache=order.cache,
        seed=order.seed,
        device=order.device,
        progress=progress,
        **settings,
    )


def _budget(given: str | None) -> int | str | None:
    return int(given) if given and given.isdecimal() else given


def _target(model: Model, name: str | None) -> int | str | None:
    """Return the class, looked up at once so that a wrong name costs no work."""
    if name is None or model.labels is None:
        return int(name) if name and name.isdecimal() else name
    return find_class(name, len(model.labels), model.labels)


def _photo(order: Order, model: Model, found: Importance) -> Sample | None:
    """Return the photo that the units have a place in."""
    if found.places is None or not order.source.is_file():
        return None
    return sample(order.source, model, chosen_fit(order.fit))


def _contents(order: Order, found: Importance, photo: Sample | None) -> dict[str, bytes]:
    numbers, name = found.numbers(), order.source.name or str(order.source)
    page = importance_page(found, numbers, name=name, sample=photo, command=_command(order))
    return {
        "json": json.dumps(numbers, indent=1, allow_nan=False).encode(),
        "csv": table_text(found).encode(),
        "png": render.png_bytes(importance_picture(found, name, photo)),
        "html": page.encode(),
    }


def table_text(found: Importance) -> str:
    """Return the table as CSV: a line for each unit, all values with their intervals."""
    kinds = ("score", "magnitude", "loss")
    extra = list(dict.fromkeys(key for weight in found.weights for key in weight.figures))
    header = [
        "rank",
        "unit",
        *(f"{kind}{end}" for kind in (*kinds, *extra) for end in ("", " low", " high")),
        "p",
        "note",
    ]
    rows = []
    for rank, weight in enumerate(found.weights, 1):
        effects = [weight.score, weight.magnitude, weight.loss, *(weight.figures.get(key) for key in extra)]
        cells = [cell for one in effects for cell in _cells(one)]
        rows.append([rank, weight.unit, *cells, "" if weight.p is None else weight.p, weight.note])
    return csv_text(header, rows)


def _cells(one: Estimate | None) -> tuple[object, object, object]:
    return ("", "", "") if one is None else (one.value, one.low, one.high)


def _tell(found: Importance, name: str, paths: Iterable[Path]) -> None:
    say = console.out().print
    say(words.heading(found), markup=False)
    for line in words.asked(found, name):
        say(f"  {line}", markup=False)
    say(f"  {'shuffled' if found.kind == 'attributes' else 'taken away'}: {found.replacement}", markup=False)
    say(_lines(found))
    if len(found.weights) > MOST_LINES:
        say(f"  … and {len(found.weights) - MOST_LINES} more, in the files", markup=False)
    for line in filter(None, (words.explained_line(found), words.check_line(found))):
        say(line, markup=False)
    for note in found.notes:
        say(f"  {note}", markup=False)
    for picture, why in list(found.broken.items())[:5]:
        console.say(f"left out: {picture}: {why}")
    if len(found.broken) > 5:
        console.say(f"left out: {len(found.broken) - 5} more that could not be read")
    for path in paths:
        say(f"wrote  {path}", markup=False)


def _lines(found: Importance) -> Lines:
    """Return the first units as lines: rank, unit, effects with intervals."""
    made = Lines(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column("rank", justify="right")
    made.add_column(words.ONE.get(found.kind, "unit"), overflow="fold")
    sized = words.shows_size(found)
    if sized:
        made.add_column("size", justify="right")
    for _, title in words.columns(found):
        made.add_column(title, justify="right")
    tested = any(weight.p is not None for weight in found.weights)
    for title in [*(["p"] if tested else []), "note"]:
        made.add_column(title)
    for rank, weight in enumerate(found.weights[:MOST_LINES], 1):
        effects = [words.estimate_text(words.effect(weight, which), found) for which, _ in words.columns(found)]
        size = [figures(weight.magnitude.value)] if sized else []
        cells = [str(rank), weight.unit, *size, *effects, *([words.chance(weight.p)] if tested else []), weight.note]
        made.add_row(*map(Text, cells))
    return made


def _command(order: Order) -> str:
    """Return the command that makes the same page again."""
    stated: Mapping[str, object] = {
        "--of": order.of,
        "--model": order.model,
        "--checkpoint": order.checkpoint,
        "--layer": order.layer,
        "--target": order.target,
        "--by": order.by if order.by != "ablation" else None,
        "--replace": order.replace,
        "--masks": order.masks,
        "--table": order.table,
        "--key": order.key,
        "--dictionary": order.dictionary,
        "--count": order.count,
        "--group": order.group,
        "--budget": order.budget,
        "--fit": order.fit,
        "--seed": order.seed or None,
    }
    parts = ["seewhy", "importance", str(order.source)]
    parts += [part for name, value in stated.items() if value is not None for part in (name, str(value))]
    return shlex.join([*parts, *(["--interactions"] if order.interactions else [])])
