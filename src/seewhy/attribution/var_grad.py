"""VarGrad: how much the gradient changes around the image."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import Source
from seewhy.core.noisy import NoisyMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.streams import variance


@register
@dataclass(frozen=True)
class VarGrad(NoisyMethod):
    """Take the variance of the gradient over noisy copies of the image and sum it over the channels.

    map = sum_c (1/n) sum_i (g_ic - mean_i g_ic)^2, with g_i the gradient at x + e_i and e_i Gaussian of deviation
    noise * (max x - min x). Divided by n, so it is SmoothGrad Squared minus the square of the mean gradient.

    Args:
        samples: noisy copies, at least 2.
        noise: standard deviation as a share of the image's own range of values.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative, in squared units of the score per unit of the network's input.

    Limits: does not depend on the gradient itself: where the network is steep but straight the map is zero, as on a linear network.
    Source: Adebayo et al. 2018, Local Explanation Methods for Deep Neural Networks, arXiv 1810.03307.
        Differs in: one noise pattern for all images of a batch; divided by n.
    """

    fewest = 2
    key = "var-grad"
    title = "VarGrad"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "square of {unit} per unit of input"
    source = Source("Adebayo et al. 2018, Local Explanation Methods", "1810.03307")
    merit = "finds where the network is unsteady; independent of the gradient's mean"
    caution = "blind to whatever acts on the score in a straight line; strong where the network bends"

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        return variance(probe.gradients(self.copies(probe))).sum(dim=1)
