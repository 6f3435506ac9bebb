"""Occlusion by windows of 16 pixels: computed again only where a window is seen, against the whole network, and against captum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median

import torch
from torch import Tensor

import seewhy
from benchmarks.measure import processor_seconds
from benchmarks.models import Case, case
from benchmarks.table import markdown
from seewhy.core.needs import Needs
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import ClassScore

BARS = {"VGG-like": 0.2, "ResNet-50": 0.5, "Lite0": 0.45}
"""The most that a window may cost, in passes of the whole network in the same profile."""
LEAST = 7.0
"""How many times as much captum must cost, 32 windows a pass."""
WINDOW = 16
WINDOWS = 48


@dataclass(frozen=True)
class Measured:
    """One network: cost of a window in whole passes, and what captum costs for the same windows in ours; None where it is not installed."""

    network: str
    share: float
    captum: float | None
    apart: float


def corners(count: int = WINDOWS) -> list[tuple[int, int]]:
    """Return windows spread evenly over a picture of 224 pixels, on the grid of the method's usual stride of 8."""
    grid = list(product(range(0, 224 - WINDOW + 1, 8), repeat=2))
    order = torch.randperm(len(grid), generator=torch.Generator().manual_seed(0)).tolist()
    return [grid[index] for index in order[:count]]


def measured(network: str, rounds: int = 3) -> Measured:
    """Score the same windows in turn: locally, with the whole network, and by captum; the tape of the picture is part of the price."""
    asked = case(network, 1)
    local, whole = _session(asked), _session(asked)
    for session in (local, whole):
        for _ in range(2):  # until the number of rows is settled
            list(_scores(session, asked, whole=session is whole))
    found: list[tuple[float, ...]] = []
    near = torch.stack(list(_scores(local, asked, whole=False)))
    far = torch.stack(list(_scores(whole, asked, whole=True)))
    for _ in range(rounds):
        times = [
            processor_seconds(lambda: list(_scores(local, asked, whole=False))),
            processor_seconds(lambda: list(_scores(whole, asked, whole=True))),
        ]
        found.append(tuple(times))
    share = median(one / other for one, other in found)
    return Measured(network, share, _captum(asked, median(one for one, _ in found)), float((near - far).abs().max()))


def _session(asked: Case) -> seewhy.Session:
    return seewhy.Session(asked.model)


def _scores(session: seewhy.Session, asked: Case, *, whole: bool) -> Iterator[Tensor]:
    """Score the windows; `whole` makes one picture of each and runs it all."""
    inputs = session.network.accept(asked.images)
    block = session.block(inputs, Needs())
    probe = NetworkProbe(Question(block, ClassScore(asked.classes[0][0])), Needs())
    fill = probe.stand_in("mean")
    if not whole:
        return probe.windows(iter(corners()), (WINDOW, WINDOW), fill)
    return probe.scores(_pictures(inputs, fill, corners()))


def _pictures(inputs: Tensor, fill: Tensor, places: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    for top, left in places:
        picture = inputs.clone()
        here = (..., slice(top, top + WINDOW), slice(left, left + WINDOW))
        picture[here] = fill[here]
        yield picture


def _captum(asked: Case, ours: float) -> float | None:
    """Return how many times as much captum costs for as many windows, 32 a pass."""
    try:
        from captum.attr import Occlusion
    except ImportError:
        return None
    method = Occlusion(asked.network)
    shape = (3, WINDOW, WINDOW)  # side by side, as captum leaves no gaps: 196 windows
    windows = (224 // WINDOW) ** 2

    def run() -> None:
        method.attribute(
            asked.images, shape, strides=shape, target=asked.classes[0][0], baselines=0, perturbations_per_eval=32
        )

    return processor_seconds(run) / windows / (ours / WINDOWS)


def table(found: Sequence[Measured]) -> str:
    """One line for each network."""
    head = (
        "occlusion, 16-pixel windows",
        "of a whole pass",
        "bar",
        "reached",
        "captum / ours",
        f"at least {LEAST:g}",
        "apart",
    )
    return markdown(head, [_line(one) for one in found])


def _line(one: Measured) -> Sequence[str]:
    bar = BARS[one.network]
    captum = ("not installed", "") if one.captum is None else (f"{one.captum:.1f} x", _yes(one.captum >= LEAST))
    return (one.network, f"**{one.share:.2f}**", f"{bar:g}", _yes(one.share <= bar), *captum, f"{one.apart:.0e}")


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"
