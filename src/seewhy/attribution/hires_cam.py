"""HiResCAM: Grad-CAM without the average, so that it is true to the network."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register


@register
@dataclass(frozen=True)
class HiResCAM(Method):
    """Multiply each value of a layer by its own gradient and sum over channels.

    map = sum_k g_k * A_k, with g_k = d score / d A_k. Where the network after the layer is linear, the map adds up to the score minus
    the bias of the target, position by position, whether or not it treats positions alike.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, in units of the score; negative values speak against the target.

    Limits: exact only where what follows the layer is linear near this image; after an early layer the product is noisy.
    Source: Draelos and Carin 2020, Use HiResCAM instead of Grad-CAM, arXiv 2011.08891. Differs in: nothing; the paper has
        no ReLU, while pytorch-grad-cam cuts negative values off and stretches the rest to 0 to 1.
    """

    layer: str = AUTO

    key = "hires-cam"
    title = "HiResCAM"
    family = "cam"
    signed = True
    resolution = "layer"
    source = Source("Draelos and Carin 2020, Use HiResCAM instead of Grad-CAM", "2011.08891")
    merit = "exact where the rest of the network is linear: shows only places that were used"
    caution = "exact only where the network is linear after the layer; noisy at early layers"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        return (trace.gradient[self.layer] * trace.activation[self.layer]).sum(dim=1)
