"""Element-wise Grad-CAM: only the single values that speak for the target."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register


@register
@dataclass(frozen=True)
class ElementwiseGradCAM(Method):
    """Multiply each value of a layer by its own gradient, keep what is positive, and sum over channels.

    map = sum_k relu(g_k * A_k), with g_k = d score / d A_k: HiResCAM with evidence against the target left out before it can cancel.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the score; never less than HiResCAM.

    Limits: evidence for and against that cancels in the network does not cancel here, so a place that the network is indifferent to
        can be bright; the author of HiResCAM advises against it for that reason (pytorch-grad-cam, issue 298).
    Source: Gildenblat 2021, pytorch-grad-cam, where it is called GradCAMElementWise; there is no paper. Differs in: nothing.
    """

    layer: str = AUTO

    key = "elementwise-grad-cam"
    title = "Element-wise Grad-CAM"
    family = "cam"
    signed = False
    resolution = "layer"
    source = Source("Gildenblat 2021, pytorch-grad-cam, GradCAMElementWise")
    merit = "finds small evidence that averages would drown"
    caution = "evidence for and against that cancels in the network does not cancel here"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        return (trace.gradient[self.layer] * trace.activation[self.layer]).relu().sum(dim=1)
