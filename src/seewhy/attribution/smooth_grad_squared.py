"""SmoothGrad Squared: the mean squared gradient around the image."""

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
from seewhy.ops.streams import mean


@register
@dataclass(frozen=True)
class SmoothGradSquared(Method):
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

    samples: int = 50
    noise: float = 0.15

    key = "smooth-grad-squared"
    title = "SmoothGrad Squared"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "square of {unit} per unit of input"
    source = Source("Hooker et al. 2019, A Benchmark for Interpretability Methods", "1806.10758", "section 3")
    caution = "a square makes strong places stronger and weak ones vanish"

    def __post_init__(self) -> None:
        if self.samples < 1 or self.noise < 0:
            raise ConfigError(
                f"{self.key} wants samples of at least 1 and noise of at least 0, got {self.samples} and {self.noise}"
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
        return mean(gradient.square() for gradient in probe.gradients(copies)).sum(dim=1)
