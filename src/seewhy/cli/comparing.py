"""`seewhy compare`: methods x classes for one photo in one grid."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session, method, methods
from seewhy.cli import console
from seewhy.cli.explaining import check_layer, chosen_fit, chosen_method
from seewhy.cli.outputs import prepare, refuse_existing
from seewhy.core.method import Method
from seewhy.data.picture import sample
from seewhy.report.compare import Comparison, compare
from seewhy.targets import top

CHOICE = (
    "grad-cam",
    "hires-cam",
    "layer-cam",
    "eigen-cam",
    "saliency",
    "smooth-grad",
    "integrated-gradients",
    "random-cam",
)
"""One or two methods of each kind, and a control that knows nothing."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photo: Path
    model: str
    checkpoint: Path | None
    methods: str | None
    classes: int
    layer: str | None
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Draw the grid and say what it shows."""
    with console.usage():
        asked = _methods(order)
        session = Session(load_model(order.model, order.checkpoint), device=order.device, seed=order.seed)
        session.model.needs_preprocessing()
        for one in asked:
            check_layer(session, one)
        folder = prepare(order.out)
        path = folder / f"{order.photo.stem}.compare.png"
        refuse_existing([path], force=order.force)
        made = sample(order.photo, session.model, chosen_fit(order.fit))
        found = compare(session, made, top(order.classes), asked)
        render.write_bytes(path, render.png_bytes(found.picture()), force=order.force)
    if order.as_json:
        sys.stdout.write(json.dumps(found.numbers() | {"files": {"png": str(path)}}, indent=2) + "\n")
        return
    _tell(found, path)


def _methods(order: Order) -> list[Method]:
    keys = (
        CHOICE
        if order.methods is None
        else tuple(methods())
        if order.methods == "all"
        else tuple(order.methods.split(","))
    )
    made = [method(key.strip()) for key in keys]
    if order.layer is None:
        return made
    return [chosen_method(one.key, [], order.layer) if "layer" in one.settings() else one for one in made]


def _tell(found: Comparison, path: Path) -> None:
    console.out().print(f"{found.sample.name}: {len(found.rows)} methods x {len(found.rows[0])} classes", markup=False)
    for row in found.rows:
        console.out().print(f"  {row[0].method.title:24s} {row[0].cost}", markup=False)
    for key, reason in found.refused.items():
        console.say(f"left out: {key}: {reason}")
    console.out().print(f"wrote  {path}", markup=False)
