"""Grad-CAM++: Grad-CAM that counts several objects of the class, and not only the largest."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import plus_plus_weights, weighted_sum


@register
@dataclass(frozen=True)
class GradCAMPlusPlus(Method):
    """Weight each channel by a weighted sum of its positive gradients, where places that excite it share the weight.

    map = relu(sum_k w_k A_k), w_k = sum_ij alpha_ij relu(g_ij), alpha_ij = g_ij^2 / (2 g_ij^2 + sum_ab(A_ab) g_ij^3), with g the gradient
    of the score. The powers are the second and third derivative of exp(score), which the paper explains instead of the score.

    Args:
        layer: the layer; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative. Its scale has no meaning of its own: doubling all weights of
        the last layer does not double the map.

    Limits: channels that speak against the target are dropped, so two classes of one image often get almost the same map.
    Source: Chattopadhay et al. 2018, Grad-CAM++, arXiv 1710.11063, equation 19. Differs in: the factor exp(score), the same
        for the whole image, is left out; where activations are negative (a layer without a ReLU, which the paper does not treat) only
        their positive part enters the sum, or the denominator could vanish. Nothing is added to the denominator, as other libraries do.
    """

    layer: str = AUTO

    key = "grad-cam-pp"
    title = "Grad-CAM++"
    family = "cam"
    signed = False
    resolution = "layer"
    map_unit = "relative"
    source = Source("Chattopadhay et al. 2018, Grad-CAM++", "1710.11063", "equation 19")
    merit = "finds several objects of one class"
    caution = "drops what speaks against the target, so maps of two classes look alike; a coarse grid"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        activation, gradient = trace.activation[self.layer], trace.gradient[self.layer]  # (b, c, *spatial)
        weights = plus_plus_weights(gradient, gradient, activation)  # (b, c), equation 19; g^3 / g^2 = g
        return weighted_sum(weights, activation).relu()
