"""What is measured: one entry per row of the table, and how a row is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import seewhy
from benchmarks import measure
from benchmarks.models import Case, case
from benchmarks.peers import CAM_PEERS, IG_PEERS, SALIENCY_PEERS, SMOOTH_PEERS, Maps, Peer, Run
from seewhy.targets import ClassScore

EIGHT = (
    "grad-cam",
    "grad-cam-pp",
    "xgrad-cam",
    "hires-cam",
    "elementwise-grad-cam",
    "layer-cam",
    "eigen-cam",
    "eigen-grad-cam",
)


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: for people and for `--rows`.
        network, batch, targets: what is explained.
        methods: keys of our registry.
        bar: the most that ours may cost, in F.
        peers: libraries that are measured beside it.
        settings: of each method.
    """

    name: str
    network: str
    batch: int
    methods: tuple[str, ...]
    bar: float
    peers: tuple[Peer, ...]
    targets: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)


ROWS = (
    Row("grad-cam-lite0", "Lite0", 1, ("grad-cam",), 1.15, CAM_PEERS),
    Row("grad-cam-lite0-b8", "Lite0", 8, ("grad-cam",), 1.15, CAM_PEERS),
    Row("grad-cam-resnet50", "ResNet-50", 1, ("grad-cam",), 1.15, CAM_PEERS),
    Row("eight-cams-lite0", "Lite0", 1, EIGHT, 1.4, CAM_PEERS),
    Row("eight-cams-lite0-b8", "Lite0", 8, EIGHT, 1.4, CAM_PEERS),
    Row("eight-cams-top5-lite0", "Lite0", 1, EIGHT, 1.6, CAM_PEERS, targets=5),
    Row("saliency-resnet50", "ResNet-50", 1, ("saliency",), 2.1, SALIENCY_PEERS),
    Row("saliency-lite0", "Lite0", 1, ("saliency",), 2.1, SALIENCY_PEERS),
    Row("saliency-lite0-b8", "Lite0", 8, ("saliency",), 2.1, SALIENCY_PEERS),
    Row(
        "integrated-gradients-50-lite0",
        "Lite0",
        1,
        ("integrated-gradients",),
        120,
        IG_PEERS,
        settings={"steps": 50, "baseline": "zero"},
    ),
    Row("smooth-grad-50-lite0", "Lite0", 1, ("smooth-grad",), 120, SMOOTH_PEERS, settings={"samples": 50}),
)


@dataclass(frozen=True)
class Found:
    """What one library cost in a row: in F, how many methods it had, and how far its maps are from ours."""

    peer: str
    methods: int
    cost: float | None
    apart: float | None = None
    apart_double: float | None = None
    worst: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Result:
    """One row as measured: ours in F, the passes per image that it made, and what the peers cost."""

    row: Row
    ours: float
    passes: str
    peers: Sequence[Found]


def measured(row: Row, seconds: float) -> Result:
    """Run one row; libraries that are not installed are named as such."""
    asked = case(row.network, row.batch, row.targets)
    ours = own(row, asked)
    runs, missing = _runs(row, asked)
    for _ in range(3):  # until the session has settled on a number of rows
        ours()
    costs = measure.in_turn({measure.BASE: _forward(asked), "ours": ours} | runs, seconds)
    found = [_found(peer, row, asked, costs.get(peer.name), missing.get(peer.name, "")) for peer in row.peers]
    return Result(row, costs["ours"], _passes(row, asked), found)


def own(row: Row, asked: Case) -> Run:
    """Return our own run: one call for all methods and targets."""
    session = seewhy.Session(asked.model)
    methods = [seewhy.method(key, **row.settings) for key in row.methods]
    targets = [ClassScore(tuple(classes)) for classes in asked.classes]

    def run() -> Maps:
        answers = session.explain(asked.images, target=targets, methods=methods)
        return {
            (key, number): explanation.heatmap
            for number, made in enumerate(answers)
            for key, explanation in zip(row.methods, made, strict=True)
        }

    return run


def _passes(row: Row, asked: Case) -> str:
    """Return the forwards and backwards of one call, per image."""
    session = seewhy.Session(asked.model)
    targets = [ClassScore(tuple(classes)) for classes in asked.classes]
    session.explain(asked.images, target=targets, methods=[seewhy.method(key, **row.settings) for key in row.methods])
    made = session.cost
    return f"{made.forwards // row.batch} + {made.backwards // row.batch}"


def _forward(asked: Case) -> Run:
    def run() -> Maps:
        with torch.no_grad():
            asked.network(asked.images)
        return {}

    return run


def _runs(row: Row, asked: Case) -> tuple[dict[str, Run], dict[str, str]]:
    """Return what can be run, and why the rest cannot."""
    runs, missing = {}, {}
    for peer in row.peers:
        try:
            runs[peer.name] = peer.make(asked, keys_of(peer, row))
        except ImportError:
            missing[peer.name] = "not installed"
    return runs, missing


def keys_of(peer: Peer, row: Row) -> list[str]:
    return [key for key in row.methods if key in peer.keys]


def _found(peer: Peer, row: Row, asked: Case, cost: float | None, missing: str) -> Found:
    count = len(keys_of(peer, row))
    if missing or peer.again:
        return Found(peer.name, count, cost, missing=missing)
    (apart, worst), (apart_double, _) = (compared(peer, row, each) for each in (asked, asked.double()))
    return Found(peer.name, count, cost, apart, apart_double, worst)


def compared(peer: Peer, row: Row, asked: Case) -> tuple[float | None, str]:
    """Return the largest difference between our maps and a peer's, both from 0 to 1, and the method where it is."""
    theirs, ours = peer.make(asked, keys_of(peer, row))(), own(row, asked)()
    apart = {key: float((scaled(ours[key]) - scaled(maps)).abs().max()) for key, maps in theirs.items()}
    if not apart:
        return None, ""
    worst = max(apart, key=lambda key: apart[key])
    return apart[worst], worst[0]


def scaled(maps: Tensor) -> Tensor:
    """Return maps (b, *spatial) from 0 to 1 each; below zero they are cut first, as some peers always do."""
    flat = maps.double().flatten(1).clamp_min(0)
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    return (flat - low) / (high - low).clamp_min(1e-12)
