"""XGrad-CAM: Grad-CAM whose weights are those of the places where a channel is active."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import ratio, weighted_sum


@register
@dataclass(frozen=True)
class XGradCAM(Method):
    """Weight each channel by the mean of its gradient over positions, each position counted as much as the channel is active there.

    map = relu(sum_k w_k A_k), w_k = sum_ij(A_ij g_ij) / sum_ij(A_ij). Before the ReLU the map adds up to sum(g * A) over all values of the
    layer: what HiResCAM adds up to.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative, in units of the score.

    Limits: averages the gradient over positions, as Grad-CAM does. With negative activations the sum in the denominator can come near
        zero and one channel rule the map.
    Source: Fu et al. 2020, Axiom-based Grad-CAM, arXiv 2008.02312. Differs in: a channel whose activations cancel to
        within rounding has weight 0.
    """

    layer: str = AUTO

    key = "xgrad-cam"
    title = "XGrad-CAM"
    family = "cam"
    signed = False
    resolution = "layer"
    source = Source("Fu et al. 2020, Axiom-based Grad-CAM", "2008.02312")
    merit = "weights that keep sensitivity and conservation as well as a CAM can"
    caution = "a coarse grid; unstable for layers with negative activations"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        activation, gradient = trace.activation[self.layer], trace.gradient[self.layer]  # (b, c, *spatial)
        flat = activation.flatten(2)  # (b, c, n)
        total, most = flat.sum(dim=2), flat.abs().sum(dim=2)  # (b, c)
        total = total.where(total.abs() > torch.finfo(flat.dtype).eps * flat.shape[2] * most, 0)
        weights = ratio((flat * gradient.flatten(2)).sum(dim=2), total)  # (b, c)
        return weighted_sum(weights, activation).relu()
