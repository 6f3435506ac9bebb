"""VarGrad: how much the gradient changes around the image."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Method, Source
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.noise import noisy
from seewhy.ops.streams import variance


@register
@dataclass(frozen=True)
class VarGrad(Method):
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

    samples: int = 50
    noise: float = 0.15

    key = "var-grad"
    title = "VarGrad"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "square of {unit} per unit of input"
    source = Source("Adebayo et al. 2018, Local Explanation Methods", "1810.03307")
    caution = "blind to whatever acts on the score in a straight line; strong where the network bends"

    def __post_init__(self) -> None:
        if self.samples < 2 or self.noise < 0:
            raise ConfigError(
                f"{self.key} wants samples of at least 2 and noise of at least 0, got {self.samples} and {self.noise}"
            )

    def needs(self) -> Needs:
        """Return nothing: no gradient of the image itself is looked at."""
        return Needs()

    def cost(self) -> Cost:
        """Return the image, which the target is bound on, and a forward and whole backward per sample."""
        return Cost(1 + self.samples, self.samples)

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        copies = noisy(probe.inputs, self.samples, self.noise, probe.generator())
        return variance(probe.gradients(copies)).sum(dim=1)
