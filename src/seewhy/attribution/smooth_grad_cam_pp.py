"""Smooth Grad-CAM++: Grad-CAM++ with derivatives averaged over noisy copies of the image."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import AUTO, Source
from seewhy.core.needs import at
from seewhy.core.noisy import NoisyMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import plus_plus_weights, ratio, weighted_sum


@register
@dataclass(frozen=True)
class SmoothGradCAMPlusPlus(NoisyMethod):
    """Average the three derivatives that Grad-CAM++ uses, and the activation, over noisy copies of the image.

    map = relu(sum_k w_k A_k), w_k = sum_ij alpha_ij relu(D1_ij), alpha_ij = D2_ij / (2 D2_ij + sum_ab(A_ab) D3_ij), where D1, D2, D3 are the
    means over the copies of g, g^2 and g^3, and A is the mean activation.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        samples: noisy copies, at least 1; cost grows linearly.
        noise: standard deviation of the Gaussian noise, as a share of the range of values of each image; 0 gives Grad-CAM++.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative; its scale has no meaning of its own.

    Limits: those of Grad-CAM++; and noise that the network was not trained on makes it look at something else.
    Source: Omeiza et al. 2019, Smooth Grad-CAM++, arXiv 1908.01224. Differs in: alpha has D2 in the numerator, as in
        Grad-CAM++, not D1; copies count equally, not by exp(score); the noise is a share of the image's range; the sum over A and the
        ratio D3 / D2 count where they are positive, or the denominator could vanish.
    """

    samples: int = 8
    noise: float = 0.1
    layer: str = AUTO

    key = "smooth-grad-cam-pp"
    title = "Smooth Grad-CAM++"
    family = "cam"
    signed = False
    resolution = "layer"
    map_unit = "relative"
    source = Source("Omeiza et al. 2019, Smooth Grad-CAM++", "1908.01224")
    merit = "Grad-CAM++ that does not hang on one noisy pass"
    caution = "drops what speaks against the target; explains noisy copies, which may be read as something else"

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        sums: list[Tensor] = []
        for trace in probe.traces(self.copies(probe), at(self.layer)):
            gradient = trace.gradient[self.layer]  # (b, c, *spatial)
            terms = [trace.activation[self.layer], gradient, gradient**2, gradient**3]
            sums = [total + term for total, term in zip(sums, terms, strict=True)] if sums else terms
        activation, first, second, third = (total / self.samples for total in sums)
        weights = plus_plus_weights(first, ratio(third, second), activation)  # (b, c)
        return weighted_sum(weights, activation).relu()
