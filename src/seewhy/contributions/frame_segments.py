"""How the score is shared among runs of frames: Shapley values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from seewhy.contributions.frames import ClipProbe
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import every_coalition, growing, joining_weights, orders
from seewhy.ops.frames import Hiding, Run, stand_ins

EXACT = 10
"""With at most so many segments all coalitions are asked."""
PAIRS = 20
"""Pairs of orders, one backwards, that are drawn for more segments."""


@dataclass(frozen=True, eq=False)
class SegmentShares:
    """Shapley values of runs of frames: what each adds on average over all orders in which they are put into the clip.

    Attributes:
        runs: first frame, and the one after the last, of each segment.
        values: one per segment, in units of the score.
        error: their standard errors; 0 where all coalitions were asked.
        explained: y(clip) - y(clip with every segment hidden): what the values add up to.
        residual: explained minus the sum of the values: rounding, and nothing else.
        exact: whether all coalitions were asked.
        coalitions: how many were asked, all frames shown not counted.
        hiding: how segments are hidden: each as if it alone were.
    """

    runs: tuple[Run, ...]
    values: Float[Tensor, " n"]
    error: Float[Tensor, " n"]
    explained: float
    residual: float
    exact: bool
    coalitions: int
    hiding: Hiding


def segment_shares(
    probe: ClipProbe, runs: Sequence[Run], hiding: Hiding = "blur", *, pairs: int = PAIRS
) -> SegmentShares:
    """Return the Shapley value of each run of frames.

    Args:
        probe: the clip and the question.
        runs: segments that cover the clip, at least two; up to 10 are done exactly, with 2^n - 1 passes.
        hiding: what is shown in the place of hidden ones.
        pairs: for more segments, pairs of orders that are drawn.

    Source: Shapley 1953, A value for n-person games; sampling: Castro et al. 2009, doi 10.1016/j.cor.2008.04.004; pairs: Mitchell et al. 2022,
        arXiv 2104.12199, section 4.
    """
    frames = [frame for run in runs for frame in range(*run)]
    if len(runs) < 2 or frames != list(range(probe.frames)):
        raise ConfigError(
            f"segments are at least two runs (first frame, frame after the last) that cover all {probe.frames} frames in order; got {list(runs)}"
        )
    if pairs < 2:
        raise ConfigError(f"a standard error takes at least 2 pairs of orders, got {pairs}")
    hidden = stand_ins(probe.clip, runs, hiding)
    exact = len(runs) <= EXACT
    asked = _exact if exact else _sampled
    values, error, nothing, count = asked(probe, runs, hidden, pairs)
    explained = probe.score - nothing
    return SegmentShares(tuple(runs), values, error, explained, explained - float(values.sum()), exact, count, hiding)


Found = tuple[Float[Tensor, " n"], Float[Tensor, " n"], float, int]


def _exact(probe: ClipProbe, runs: Sequence[Run], hidden: Tensor, pairs: int) -> Found:
    """Return the values from all coalitions, each weighted by the share of orders in which a segment meets just it."""
    players = len(runs)
    joins = joining_weights(players)
    values = torch.full((players,), probe.score / players, dtype=torch.float64)
    worths = _worths(probe, runs, hidden, every_coalition(players))
    nothing = 0.0
    for number, (worth, inside) in enumerate(zip(worths, every_coalition(players), strict=True)):
        nothing = worth if number == 0 else nothing
        size = int(inside.sum())
        values += worth * torch.where(inside, joins[size - 1], -joins[size])
    return values, torch.zeros_like(values), nothing, (1 << players) - 1


def _sampled(probe: ClipProbe, runs: Sequence[Run], hidden: Tensor, pairs: int) -> Found:
    """Return the mean over pairs of orders of what each segment adds when it joins, and its standard error."""
    players = len(runs)

    def drawn() -> Iterator[Tensor]:
        return orders(players, 2 * pairs, paired=True, generator=Generator().manual_seed(probe.session.seed))

    def asked() -> Iterator[Bool[Tensor, " n"]]:
        yield torch.zeros(players, dtype=torch.bool)
        for order in drawn():
            yield from growing(order)

    worths = _worths(probe, runs, hidden, asked())
    nothing = next(worths)
    adds = torch.zeros(2 * pairs, players, dtype=torch.float64)
    for row, order in zip(adds, drawn(), strict=True):
        steps = torch.tensor([nothing, *(next(worths) for _ in range(players - 1)), probe.score], dtype=torch.float64)
        row[order] = steps.diff()
    means = adds.view(pairs, 2, players).mean(dim=1)
    return means.mean(dim=0), means.std(dim=0) / pairs**0.5, nothing, 1 + 2 * pairs * (players - 1)


def _worths(
    probe: ClipProbe, runs: Sequence[Run], hidden: Tensor, coalitions: Iterator[Bool[Tensor, " n"]]
) -> Iterator[float]:
    """Yield the score of the clip that shows just these segments."""
    lengths = torch.tensor([stop - start for start, stop in runs])

    def shown(inside: Bool[Tensor, " n"]) -> Tensor:
        return torch.where(inside.repeat_interleave(lengths).to(hidden.device)[None, :, None, None], probe.clip, hidden)

    return probe.scores(map(shown, coalitions))
