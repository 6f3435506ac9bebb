"""Guided integrated gradients: a path that goes round noise."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError

AT_INPUT = Needs(gradients=frozenset({INPUT}))


@register
@dataclass(frozen=True)
class GuidedIG(Method):
    """Integrate the gradient along a path that moves the values with the smallest gradients first.

    map = sum_j sum_c (x_j+1 - x_j)_c * (g_jc + g_j+1,c) / 2, with g_j the gradient at x_j. After step j the path has made
    (j / steps)^crowding of the whole L1 distance to the image. Of the values (one channel of one pixel) that have room, the share `fraction` with the smallest gradients goes
    as far as it may, then the next such share, until the distance is made up.

    Args:
        steps: gradients per image, at least 1.
        baseline: what stands for nothing: "black", "white", "zero", "mean", "blur" or "noise".
        fraction: share of the values that move together, above 0 and at most 1. At 1 all move alike: the straight line.
        deviation: how far a value may run ahead of the straight line, or stay behind it, as a share of its whole way; 1 is free.
        crowding: 2 makes the steps short near the baseline, where most of the score of a deep network comes about; 1 makes them equal.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The sum approaches the
        score at the image minus the score at the baseline as steps grow; the residual says how far it is from that.

    Raises:
        ConfigError: a colour is asked for, and the model does not state its mean and std.

    Limits: the path depends on the network and on the steps, so it does not settle as they grow; compare maps of equal settings.
    Source: Kapishnikov et al. 2021, Guided Integrated Gradients, arXiv 2106.09788, algorithm 1. Differs in: the path is kept near the
        straight line by `deviation` instead of by anchors; the mean of the gradients at both ends of a step instead of the first,
        which leaves a tenth of the score unexplained on a deep network where the first alone leaves most of it; steps of unequal length.
    """

    steps: int = 50
    baseline: str = "black"
    fraction: float = 0.25
    deviation: float = 0.02
    crowding: float = 2.0

    key = "guided-ig"
    title = "Guided IG"
    family = "gradient"
    signed = True
    resolution = "input"
    complete = True
    source = Source("Kapishnikov et al. 2021, Guided Integrated Gradients", "2106.09788", "algorithm 1")
    merit = "less noise than integrated gradients: walks around steep places"
    caution = "the path depends on the network and on the steps: look at the residual"

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 < self.fraction <= 1 or not 0 <= self.deviation <= 1 or self.crowding <= 0:
            raise ConfigError(
                f"{self.key} wants at least 1 step, a fraction above 0 and at most 1, a deviation from 0 to 1 and a crowding above 0, "
                f"got {self.steps}, {self.fraction}, {self.deviation} and {self.crowding}"
            )

    def needs(self) -> Needs:
        """Return the gradient at the input: the path ends there."""
        return AT_INPUT

    def cost(self) -> Cost:
        """Return a forward and backward for each end of a step; the first is the baseline, the last the image."""
        return Cost(1 + self.steps, 1 + self.steps)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the residual per image."""
        start, end = probe.stand_in(self.baseline), probe.trace()
        way = probe.inputs - start
        [first] = probe.traces([start], AT_INPUT)
        here = first
        gone = came = heatmap = torch.zeros_like(way)  # shares of its way: what each value has gone, and went last
        for step in range(1, self.steps + 1):
            gradient, aim = here.gradient[INPUT], (step / self.steps) ** self.crowding
            then = self._moved(gone.flatten(1), gradient.flatten(1), way.flatten(1), aim).view_as(gone)
            goes = then - gone
            heatmap = heatmap + (came + goes) / 2 * gradient
            gone, came = then, goes
            [here] = [end] if step == self.steps else probe.traces([start + gone * way], AT_INPUT)
        heatmap = way * (heatmap + came / 2 * end.gradient[INPUT])
        return Attribution.adding_up(heatmap.sum(dim=1), end.score - first.score)

    def _moved(
        self, gone: Float[Tensor, "b n"], gradient: Float[Tensor, "b n"], way: Float[Tensor, "b n"], aim: float
    ) -> Float[Tensor, "b n"]:
        """Return how far each value has gone when the L1 distance gone is the share `aim` of the whole."""
        least = aim if aim == 1 else max(aim - self.deviation, 0)
        most = min(aim + self.deviation, 1)
        gone = gone.clamp_min(least)
        room = way.abs() * (most - gone)  # (b, n), never negative: most and least only grow
        lacking = (way.abs() * (aim - gone)).sum(dim=1, keepdim=True)  # (b, 1)
        order = gradient.abs().where(room > 0, torch.inf).argsort(dim=1)
        shares = _fill(room.gather(1, order), lacking, self.fraction)
        return gone + torch.empty_like(gone).scatter(1, order, shares) * (most - gone)


def _fill(room: Float[Tensor, "b n"], lacking: Float[Tensor, "b 1"], fraction: float) -> Float[Tensor, "b n"]:
    """Return the share of its room that each value uses up: groups are filled in turn, the last one in part.

    Args:
        room: of each value, in the order in which they move; those without room stand at the end.
        lacking: what is to be used up in all.
        fraction: each group is this share of the values that still have room.
    """
    movable = (room > 0).sum(dim=1, keepdim=True)  # (b, 1)
    count = 1 if fraction == 1 else math.ceil(math.log(room.shape[1] + 1) / -math.log1p(-fraction))
    covered = torch.tensor([1 - (1 - fraction) ** group for group in range(count)] + [1.0]).to(room)
    ends = (movable * covered).ceil().long()  # (b, count + 1): the first is 0, the last all that are movable
    filled = F.pad(room.cumsum(dim=1), (1, 0)).gather(1, ends)
    group = (filled < lacking).sum(dim=1, keepdim=True).clamp(1, count)  # the one in which what is lacking is made up
    begin, end = ends.gather(1, group - 1), ends.gather(1, group)
    before, after = filled.gather(1, group - 1), filled.gather(1, group)
    part = ((lacking - before) / (after - before).clamp_min(torch.finfo(room.dtype).tiny)).clamp(0, 1)
    place = torch.arange(room.shape[1], device=room.device)
    return (place < begin).to(room) + part * ((place >= begin) & (place < end))
