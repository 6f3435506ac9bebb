"""SmoothGrad Squared: the mean squared gradient around the image."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import Source
from seewhy.core.noisy import NoisyMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.streams import mean


@register
@dataclass(frozen=True)
class SmoothGradSquared(NoisyMethod):
    """Average the squared gradient over noisy copies of the image and sum over the channels.

    map = sum_c mean_i (d score(x + e_i) / d x_c)^2, with e_i Gaussian of deviation noise * (max x - min x).

    Args:
        samples: noisy copies, at least 1.
        noise: standard deviation as a share of the image's own range of values.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative, in squared units of the score per unit of the network's input.

    Limits: a square sharpens whatever is strongest, so weak evidence disappears; says how strongly a pixel acts, not which way.
    Source: Hooker et al. 2019, A Benchmark for Interpretability Methods in Deep Neural Networks, arXiv 1806.10758, section 3.
        Differs in: one noise pattern for all images of a batch.
    """

    key = "smooth-grad-squared"
    title = "SmoothGrad Squared"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "square of {unit} per unit of input"
    source = Source("Hooker et al. 2019, A Benchmark for Interpretability Methods", "1806.10758", "section 3")
    merit = "ranks places well when magnitude matters and sign does not"
    caution = "a square makes strong places stronger and weak ones vanish"

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        return mean(gradient.square() for gradient in probe.gradients(self.copies(probe))).sum(dim=1)
