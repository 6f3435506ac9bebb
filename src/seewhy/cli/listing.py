"""`seewhy methods`, `models`, `layers` and `doctor`: what there is, and whether it is in order."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from rich.text import Text

from seewhy.adapters.environment import environment
from seewhy.adapters.load import available, load_model
from seewhy.api import Session, methods
from seewhy.cli import console
from seewhy.cli.choosing import MethodOrder, chosen_method, input_shape
from seewhy.core.method import Method
from seewhy.core.registry import load_plugins
from seewhy.data.normalization import try_normalizations
from seewhy.data.picture import expand
from seewhy.engine.anatomy import sample_of
from seewhy.engine.black_box import refuse_black_box
from seewhy.errors import ConfigError, SeewhyError


def list_methods(spec: str | None = None, checkpoint: Path | None = None, *, as_json: bool) -> None:
    """Print every method with its facts; with a model, with the cost on it, or why a method finds no layer in it."""
    with console.usage():
        session = Session(load_model(spec, checkpoint)) if spec else None
        price = _prices(session) if session else lambda found: str(found().cost() or "depends on the network or image")
    rows = [
        {
            "key": key,
            "title": found.title,
            "family": found.family,
            "signed": found.signed,
            "asks for": found.access,
            "resolution": found.resolution,
            "complete": found.complete,
            "cost": price(found),
            "good at": found.merit,
            "caution": found.caution,
            "source": str(found.source),
        }
        for key, found in sorted(methods().items(), key=lambda item: (item[1].family, item[0]))
    ]
    for name, error in load_plugins().items():
        console.say(f"plugin {name} does not load: {type(error).__name__}: {error}")
    columns = ("key", "family", "signed", "asks for", "cost", "good at", "caution", "source")
    show(rows, columns, as_json=as_json)


def list_coverage(spec: str, checkpoint: Path | None, key: str, about: MethodOrder, *, as_json: bool) -> None:
    """Print what the rules of a method make of the operations of a model, on a picture of random numbers."""
    with console.usage():
        session = Session(load_model(spec, checkpoint))
        asked = chosen_method(key, about, session.model)
        found = session.coverage(sample_of(input_shape(session.model)), asked, 0)
    rows = [{"operation": kind, "times": times, "handled by": status} for kind, times, status in found.met]
    show(rows, ("operation", "times", "handled by"), as_json=as_json)


def _prices(session: Session) -> Callable[[type[Method]], str]:
    """Return what says a method's cost on a session's network."""
    inputs = session.network.accept(torch.zeros(1, *input_shape(session.model)))

    def price(found: type[Method]) -> str:
        try:
            return str(session.cost_of(session.resolved(found(), inputs), inputs) or "depends on the image")
        except SeewhyError as error:
            return f"does not fit: {error}"

    return price


def list_layers(spec: str, checkpoint: Path | None, *, as_json: bool) -> None:
    """Print a model's layers in the order in which they finish."""
    with console.usage():
        session = Session(load_model(spec, checkpoint))
        refuse_black_box(session.network.module, session.model.title)
        channels, *size = input_shape(session.model)
        layers, chosen = session.network.layers(tuple(size), channels)
    rows = [
        {
            "layer": layer.name,
            "type": layer.kind,
            "shape": " x ".join(map(str, layer.shape)),
            "runs": layer.runs,
            "grid": "" if layer.grid is None else " x ".join(map(str, layer.grid.size)),
            "chosen": "←" if chosen and layer.name == chosen.partition("#")[0] else "",
        }
        for layer in layers
    ]
    show(rows, ("layer", "type", "shape", "runs", "grid", "chosen"), as_json=as_json)


def show(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as JSON or as a table."""
    if as_json:
        sys.stdout.write(json.dumps(list(rows), indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_word(row[column])) for column in columns))
    console.out().print(table)


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def list_models(*, as_json: bool) -> None:
    """Print where models come from, and why a source cannot be used here."""
    rows = [{"model": one.spec, "what": one.what, "missing": one.why_not} for one in available()]
    show(rows, ("model", "what", "missing"), as_json=as_json)


def examine_environment(*, as_json: bool) -> None:
    """Print what is installed, whether it works, and the cure where it does not."""
    rows = [{"what": what, "found": found, "to do": cure} for what, found, cure in environment()]
    show(rows, ("what", "found", "to do"), as_json=as_json)


def examine_preprocessing(spec: str, folder: Path | None, checkpoint: Path | None, *, as_json: bool) -> None:
    """Try the usual normalizations on a folder of pictures and print how each does, with the verdict."""
    with console.usage():
        if folder is None:
            raise ConfigError(f"name a folder of pictures to try {spec} on: seewhy doctor {spec} FOLDER")
        found = try_normalizations(load_model(spec, checkpoint), expand([folder]))
    rows = [
        {
            "normalization": trial.name + (" (stated)" if trial.stated else ""),
            "channels": trial.channels,
            "right": f"{trial.correct} of {trial.known}" if trial.known else "unknown",
            "confidence": round(trial.confidence, 3),
        }
        for trial in found.trials
    ]
    if as_json:
        sys.stdout.write(json.dumps({"rows": rows, "verdict": found.verdict, "warns": found.warns}, indent=2) + "\n")
        return
    show(rows, ("normalization", "channels", "right", "confidence"), as_json=False)
    console.out().print(found.verdict, markup=False)
