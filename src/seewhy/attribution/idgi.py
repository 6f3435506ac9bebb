"""IDGI: only the part of the path that moves the score is counted."""

from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.trace import Trace
from seewhy.errors import ConfigError
from seewhy.ops.streams import total


@register
@dataclass(frozen=True)
class IDGI(Method):
    """On the line from a baseline to the image, share out each step's change of the score by the squared gradient.

    map = sum_j (score(x_j+1) - score(x_j)) * sum_c g_jc^2 / |g_j|^2, with g_j the gradient at x_j, at the place
    (j / steps)^crowding of the line. A step along the line has a part across the gradient that moves pixels and not the score; that
    part, noise in the map of integrated gradients, is left out.

    Args:
        steps: gradients per image, at least 1.
        crowding: 2 brings the places near the baseline, where most of the score of a deep network comes about; 1 spaces them evenly,
            and then the first step, whose gradient is that of the empty baseline, may carry most of the map: to the border.
        baseline: what stands for nothing: "black", "white", "zero", "mean", "blur" or "noise".

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive where steps raised the score. The sum equals
        the score at the image minus the score at the baseline, exactly, however few the steps, unless a gradient is zero.

    Raises:
        ConfigError: a colour is asked for, and the model does not state its mean and std.

    Limits: within one step all pixels get the same sign, so evidence against the target shows only where the score falls on the way.
        On a linear network the map is the squared gradient, not input times gradient. Adding up is built in and proves nothing.
    Source: Yang et al. 2023, IDGI: A Framework to Eliminate Explanation Noise from Integrated Gradients, arXiv 2303.14242, algorithm 1.
        Differs in: the spacing; the path underneath is the straight line.
    """

    steps: int = 32
    crowding: float = 2.0
    baseline: str = "black"

    key = "idgi"
    title = "IDGI"
    family = "gradient"
    signed = True
    resolution = "input"
    complete = True
    source = Source("Yang et al. 2023, IDGI", "2303.14242", "algorithm 1")
    merit = "integrated gradients without the noise that does not change the score"
    caution = "adds up by construction, which proves nothing; pixels that share a step share its sign"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.crowding <= 0:
            raise ConfigError(
                f"{self.key} wants at least 1 step and a crowding above 0, got {self.steps} and {self.crowding}"
            )

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def cost(self) -> Cost:
        """Return the image, and a forward and backward per step; the first step starts at the baseline."""
        return Cost(1 + self.steps, self.steps)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the residual per image."""
        start, end = probe.stand_in(self.baseline), probe.trace()
        places = [(step / self.steps) ** self.crowding for step in range(self.steps)]
        line = (start + place * (probe.inputs - start) for place in places)
        traces = probe.traces(line, Needs(gradients=frozenset({INPUT})))
        first = next(traces)
        steps = pairwise(chain([first], traces, [end]))
        return Attribution.adding_up(total(_share(here, after) for here, after in steps), end.score - first.score)


def _share(here: Trace, after: Trace) -> Float[Tensor, "b *spatial"]:
    """Share out what the score gains from one place to the next by the squared gradient."""
    power = here.gradient[INPUT].square().sum(dim=1)  # (b, *spatial)
    whole = power.flatten(1).sum(dim=1)
    gain = (after.score - here.score) / whole.where(whole > 0, torch.inf)
    return gain.view(-1, *[1] * (power.dim() - 1)) * power
