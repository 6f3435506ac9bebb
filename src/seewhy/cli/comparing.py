"""`seewhy compare`: methods x classes for one photo in one grid."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session, methods
from seewhy.cli import console
from seewhy.cli.choosing import MethodOrder, chosen_method
from seewhy.cli.explaining import check_layer, chosen_fit
from seewhy.cli.outputs import prepare, refuse_existing
from seewhy.cli.progress import watched
from seewhy.core.method import Method
from seewhy.data.source import sample
from seewhy.engine.model import Model
from seewhy.report.compare import Comparison, compare
from seewhy.targets import top

CHOICE = (
    "grad-cam",
    "integrated-gradients",
    "occlusion",
    "rise",
    "kernel-shap",
    "lrp",
    "attn-lrp",
    "gradient-rollout",
    "random-cam",
)
"""One or two methods of each family; those that do not fit the network are left out with the reason. The last one knows nothing."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photo: Path
    model: str
    checkpoint: Path | None
    methods: str | None
    classes: int
    about: MethodOrder
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None


def run(order: Order) -> None:
    """Draw the grid and say what it shows."""
    with watched() as watch, console.usage():
        model = load_model(order.model, order.checkpoint)
        model.needs_preprocessing()
        asked = _methods(order, model)
        session = Session(model, device=order.device, seed=order.seed, progress=watch.passes)
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


def _methods(order: Order, model: Model) -> list[Method]:
    if order.methods is None:
        keys = tuple(key for key in CHOICE if key in methods())
    else:
        keys = tuple(methods()) if order.methods == "all" else tuple(order.methods.split(","))
    return [chosen_method(key.strip(), order.about, model, lenient=True) for key in keys]


def _tell(found: Comparison, path: Path) -> None:
    console.out().print(f"{found.sample.name}: {len(found.rows)} methods x {len(found.rows[0])} classes", markup=False)
    for row in found.rows:
        console.out().print(f"  {row[0].method.title:24s} {row[0].cost}", markup=False)
    _tell_agreement(found)
    for key, reason in found.refused.items():
        console.say(f"left out: {key}: {reason}")
    console.out().print(f"wrote  {path}", markup=False)


def _tell_agreement(found: Comparison) -> None:
    """Print the matrix: one line a method, one column a method."""
    if len(found.rows) < 2:
        return
    console.out().print(f"agreement on {found.rows[0][0].targets[0]} (rank correlation)", markup=False)
    for number, (row, values) in enumerate(zip(found.rows, found.agreement, strict=True), 1):
        cells = "".join("     -" if value != value else f"{value:6.2f}" for value in values)  # noqa: PLR0124 (NaN is not itself)
        console.out().print(f"  {number:2d} {row[0].method.title:24.24s}{cells}", markup=False)
