"""Layer integrated gradients: integrated gradients of a layer's activation."""

from dataclasses import dataclass

from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Attribution, Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.quadrature import gauss_legendre
from seewhy.ops.streams import weighted_sum


@register
@dataclass(frozen=True)
class LayerIntegratedGradients(Method):
    """Integrate the gradient at a layer along the straight line from its activation at a baseline to that at the image.

    map = sum_k (A_k(x) - A_k(x0)) * integral over t from 0 to 1 of d score / d A_k at A(x0) + t (A(x) - A(x0)), by Gauss-Legendre
    nodes, with A_k channel k of the layer. What follows the layer is run from the replaced activation.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        steps: nodes, at least 1.
        baseline: what stands for nothing: "black", "white", "zero", "mean", "blur" or "noise".

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, in units of the score; positive speaks for the target. The sum equals the
        score at the image minus the score at the baseline where everything passes through the layer's grid; the residual says how
        far it is from that: nodes too few, branches around the layer (they see the image throughout), or tokens without a place.

    Raises:
        ConfigError: a colour is asked for, and the model does not state its mean and std.
        LayerError: no such layer, or one without a grid.

    Limits: activations on the line need not be those of any picture; with a late layer the line skips nearly all of the network.
    Source: Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, arXiv 1703.01365, equation 1, with the layer in place of
        the input. Differs in: Gauss-Legendre nodes instead of a Riemann sum.
    """

    layer: str = AUTO
    steps: int = 32
    baseline: str = "black"

    key = "layer-integrated-gradients"
    title = "Layer Integrated Gradients"
    family = "gradient"
    signed = True
    resolution = "layer"
    complete = True
    source = Source("Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks", "1703.01365", "equation 1")
    merit = "adds up to the score at a layer; less noisy than at pixels"
    caution = "a coarse grid; another baseline gives another map; the line runs through activations that no picture has"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"{self.key} wants at least 1 step, got {self.steps}")

    def needs(self) -> Needs:
        """Return the activation of the layer."""
        return Needs(activations=frozenset({self.layer}))

    def cost(self) -> Cost:
        """Return the image, the baseline, and a forward, and a backward down to the layer, per node."""
        return Cost(2 + self.steps, self.steps)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and the residual per image."""
        nodes, weights = gauss_legendre(self.steps)
        end = probe.trace()
        [start] = probe.traces([probe.stand_in(self.baseline)], self.needs())
        inner = probe.between(self.layer, start, end, nodes)
        gradient = weighted_sum(weights, (trace.gradient[self.layer] for trace in inner))
        way = end.activation[self.layer] - start.activation[self.layer]  # (b, k, *spatial)
        return Attribution.adding_up((way * gradient).sum(dim=1), end.score - start.score)  # equation 1
