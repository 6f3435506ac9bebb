"""Layer conductance: how the score flows through a layer on the way from nothing to the image."""

from dataclasses import dataclass
from itertools import chain, pairwise

from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Attribution, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.trace import Trace
from seewhy.errors import ConfigError
from seewhy.ops.streams import total


@register
@dataclass(frozen=True)
class LayerConductance(Method):
    """Follow a layer while the input goes straight from a baseline to the image; add up its changes times its gradients.

    map = sum_j sum_k (A_k(x_j+1) - A_k(x_j)) * (g_k(x_j) + g_k(x_j+1)) / 2, with A_k channel k of the layer, g_k = d score / d A_k and x_j
    at the place (j / steps)^crowding of the line.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        steps: steps on the line, at least 1.
        crowding: 2 brings the places near the baseline, where most of the score of a deep network comes about; 1 spaces them evenly.
        baseline: what stands for nothing: "black", "white", "zero", "mean", "blur" or "noise".

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, in units of the score; positive speaks for the target. The sum equals the
        score at the image minus the score at the baseline where everything passes through the layer's grid; the residual says how
        far it is from that: steps too coarse, branches around the layer, or tokens without a place.

    Raises:
        ConfigError: a colour is asked for, and the model does not state its mean and std.
        LayerError: no such layer, or one without a grid.

    Limits: what a place of the layer conducts comes from its whole receptive field; another baseline gives another map.
    Source: Dhamdhere et al. 2018, How Important Is a Neuron?, arXiv 1805.12233, section 3; Shrikumar et al. 2018, Computationally
        Efficient Measures of Internal Neuron Importance, arXiv 1807.09946, for the form without second derivatives.
        Differs in: the mean of the gradients at both ends of a step, and the spacing.
    """

    layer: str = AUTO
    steps: int = 32
    crowding: float = 2.0
    baseline: str = "black"

    key = "layer-conductance"
    title = "Layer Conductance"
    family = "gradient"
    signed = True
    resolution = "layer"
    complete = True
    source = Source("Dhamdhere et al. 2018, How Important Is a Neuron?", "1805.12233", "section 3")
    merit = "adds up to the score at any layer; follows the picture's own path"
    caution = "a coarse grid; another baseline gives another map"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.crowding <= 0:
            raise ConfigError(
                f"{self.key} wants at least 1 step and a crowding above 0, got {self.steps} and {self.crowding}"
            )

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def cost(self) -> Cost:
        """Return a forward, and a backward down to the layer, for each end of a step; the last one is the image."""
        return Cost(1 + self.steps, 1 + self.steps)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the residual per image."""
        start, end = probe.stand_in(self.baseline), probe.trace()
        places = [(step / self.steps) ** self.crowding for step in range(self.steps)]
        traces = probe.traces((start + place * (probe.inputs - start) for place in places), at(self.layer))
        first = next(traces)
        steps = pairwise(chain([first], traces, [end]))
        return Attribution.adding_up(
            total(self._conducted(here, after) for here, after in steps), end.score - first.score
        )

    def _conducted(self, here: Trace, after: Trace) -> Float[Tensor, "b *spatial"]:
        """Return what the step from one trace to the next adds to the score, by the place that it flows through."""
        change = after.activation[self.layer] - here.activation[self.layer]  # (b, k, *spatial)
        return (change * (here.gradient[self.layer] + after.gradient[self.layer]) / 2).sum(dim=1)
