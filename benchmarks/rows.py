"""What is measured: one entry per row of the table, and how a row is run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import seewhy
from benchmarks import measure
from benchmarks.models import Case, case
from benchmarks.peers import (
    ABLATION_PEERS,
    CAM_PEERS,
    EIGHT_PEERS,
    IG_PEERS,
    LONG_ABLATION_PEERS,
    RISE_PEERS,
    SALIENCY_PEERS,
    SCORE_PEERS,
    SHAP_PEERS,
    SMOOTH_PEERS,
    Maps,
    Peer,
    Run,
)
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
        bar: the most that ours may cost, in F; None where ratios are what counts.
        peers: libraries that are measured beside it.
        settings: of each method.
        layer: where the methods look, if not at the network's own.
        profile: of our session.
        least: runs of each library; fewer where a run takes a minute.
        ratios: by library, how many times as much as ours it must cost.
    """

    name: str
    network: str
    batch: int
    methods: tuple[str, ...]
    bar: float | None
    peers: tuple[Peer, ...]
    targets: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    layer: str | None = None
    profile: str = "exact"
    least: int = 3
    ratios: Mapping[str, float] = field(default_factory=dict)


ROWS = (
    Row("grad-cam-lite0", "Lite0", 1, ("grad-cam",), 1.15, CAM_PEERS),
    Row("grad-cam-lite0-b8", "Lite0", 8, ("grad-cam",), 1.15, CAM_PEERS),
    Row("grad-cam-resnet50", "ResNet-50", 1, ("grad-cam",), 1.15, CAM_PEERS),
    Row("eight-cams-lite0", "Lite0", 1, EIGHT, 1.4, EIGHT_PEERS),
    Row("eight-cams-lite0-b8", "Lite0", 8, EIGHT, 1.4, EIGHT_PEERS),
    Row("eight-cams-top5-lite0", "Lite0", 1, EIGHT, 1.6, EIGHT_PEERS, targets=5),
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
        settings={"steps": 50, "baseline": "zero", "crowding": 1},
    ),
    Row("smooth-grad-50-lite0", "Lite0", 1, ("smooth-grad",), 120, SMOOTH_PEERS, settings={"samples": 50}),
    Row(
        "ablation-cam-lite0",
        "Lite0",
        1,
        ("ablation-cam",),
        None,
        LONG_ABLATION_PEERS,
        least=1,
        ratios={"grad-cam": 100},
    ),
    Row(
        "ablation-cam-320-channels-lite0",
        "Lite0",
        1,
        ("ablation-cam",),
        None,
        ABLATION_PEERS,
        layer="blocks.15",
        least=1,
        ratios={"grad-cam": 100},
    ),
    Row(
        "score-cam-320-channels-lite0",
        "Lite0",
        1,
        ("score-cam",),
        None,
        SCORE_PEERS,
        layer="blocks.15",
        least=1,
        ratios={"grad-cam": 1.8},
    ),
    Row(
        "score-cam-320-channels-lite0-fast",
        "Lite0",
        1,
        ("score-cam",),
        None,
        SCORE_PEERS,
        layer="blocks.15",
        profile="fast",
        least=1,
        ratios={"grad-cam": 5},
    ),
    Row(
        "kernel-shap-96-lite0",
        "Lite0",
        1,
        ("kernel-shap",),
        None,
        SHAP_PEERS,
        settings={"samples": 96, "segments": "grid", "count": 49, "fill": "zero"},
        ratios={"captum, 1 row a pass": 1.4},
    ),
    Row(
        "rise-128-lite0",
        "Lite0",
        1,
        ("rise",),
        None,
        RISE_PEERS,
        settings={"samples": 128, "fill": "zero"},
    ),
    Row(
        "rise-128-lite0-fast",
        "Lite0",
        1,
        ("rise",),
        None,
        RISE_PEERS,
        settings={"samples": 128, "fill": "zero"},
        profile="fast",
        ratios={"reference style": 4},
    ),
    Row("raw-attention-vit", "ViT-B", 1, ("raw-attention",), 2.5, ()),
    Row("attention-rollout-vit", "ViT-B", 1, ("attention-rollout",), 2.5, ()),
    Row("gradient-rollout-vit", "ViT-B", 1, ("gradient-rollout",), 3.5, ()),
    Row("le-grad-vit", "ViT-B", 1, ("le-grad",), 3.5, ()),
)


@dataclass(frozen=True)
class Found:
    """What one library cost in a row.

    Attributes:
        peer: its name.
        methods: how many of the row's methods it has.
        cost: in F; None where it is not installed.
        apart: per method, the largest difference between its maps and ours, both from 0 to 1: in float32 and in float64.
    """

    peer: str
    methods: int
    cost: float | None
    apart: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One row as measured: ours in F, the passes per image that it made, and what the peers cost."""

    row: Row
    ours: float
    passes: str
    peers: Sequence[Found]


def measured(row: Row, seconds: float) -> Result:
    """Run one row; a library that is not installed costs None."""
    asked = case(row.network, row.batch, row.targets, row.layer)
    ours, runs = own(row, asked), _runs(row, asked)
    for _ in range(3):  # until the session has settled on a number of rows
        ours()
    costs = measure.in_turn({measure.BASE: _forward(asked), "ours": ours} | runs, seconds, row.least)
    return Result(row, costs["ours"], _passes(row, asked), [_found(peer, row, asked, costs) for peer in row.peers])


def own(row: Row, asked: Case) -> Run:
    """Return our own run: one call for all methods and targets."""
    session = seewhy.Session(asked.model, profile=row.profile)
    methods = methods_of(row)
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
    session.explain(asked.images, target=targets, methods=methods_of(row))
    made = session.cost
    partial = f" + {made.partial // row.batch} partial" if made.partial else ""
    return f"{made.forwards // row.batch}{partial} + {made.backwards // row.batch}"


def methods_of(row: Row) -> list[seewhy.Method]:
    """Return our methods with the row's settings, and its layer where a method has one."""
    layer = {} if row.layer is None else {"layer": row.layer}
    return [seewhy.method(key, **row.settings, **layer) for key in row.methods]


def _forward(asked: Case) -> Run:
    def run() -> Maps:
        with torch.no_grad():
            asked.network(asked.images)
        return {}

    return run


def _runs(row: Row, asked: Case) -> dict[str, Run]:
    """Return what can be run by the libraries that are installed."""
    runs = {}
    for peer in row.peers:
        with suppress(ImportError):
            runs[peer.name] = peer.make(asked, keys_of(peer, row))
    return runs


def keys_of(peer: Peer, row: Row) -> list[str]:
    return [key for key in row.methods if key in peer.keys]


def _found(peer: Peer, row: Row, asked: Case, costs: Mapping[str, float]) -> Found:
    keys, cost = keys_of(peer, row), costs.get(peer.name)
    if cost is None or peer.again:
        return Found(peer.name, len(keys), cost)
    single, double = (compared(peer, row, each) for each in (asked, asked.double()))
    return Found(peer.name, len(keys), cost, {key: (single[key], double[key]) for key in single})


def compared(peer: Peer, row: Row, asked: Case) -> dict[str, float]:
    """Return per method the largest difference between our maps and a peer's, both from 0 to 1."""
    theirs, ours = peer.make(asked, keys_of(peer, row))(), own(row, asked)()
    apart: dict[str, float] = {}
    for (key, number), maps in theirs.items():
        here = float((scaled(ours[key, number]) - scaled(maps)).abs().max())
        apart[key] = max(here, apart.get(key, 0.0))
    return apart


def scaled(maps: Tensor) -> Tensor:
    """Return maps (b, *spatial) from 0 to 1 each; below zero they are cut first, as some peers always do."""
    flat = maps.double().flatten(1).clamp_min(0)
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    return (flat - low) / (high - low).clamp_min(1e-12)
