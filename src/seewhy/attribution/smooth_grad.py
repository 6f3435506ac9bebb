"""SmoothGrad: saliency of the mean gradient around the image."""

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
class SmoothGrad(NoisyMethod):
    """Average the gradient over noisy copies of the image, then take its largest magnitude over the channels.

    map = max_c |mean_i d score(x + e_i) / d x_c|, with e_i Gaussian of deviation noise * (max x - min x).

    Args:
        samples: noisy copies, at least 1; the noise of the map falls with their square root.
        noise: standard deviation as a share of the image's own range of values; the authors use 0.1 to 0.2. With 0 this is saliency.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative, in units of the score per unit of the network's input.

    Limits: shows the gradient of a smoothed network, not of this one; more noise gives a cleaner picture, not a truer one.
    Source: Smilkov et al. 2017, SmoothGrad, arXiv 1706.03825, section 2. Differs in: one noise pattern for all images of a batch; the
        magnitude is taken after the mean, so gradients of opposite sign cancel; SmoothGrad Squared keeps them.
    """

    key = "smooth-grad"
    title = "SmoothGrad"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "{unit} per unit of input"
    source = Source("Smilkov et al. 2017, SmoothGrad", "1706.03825", "section 2")
    merit = "the gradient with its noise averaged away; still signed"
    caution = "the gradient of a smoothed network: more noise looks cleaner and is not truer"

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        return mean(probe.gradients(self.copies(probe))).abs().amax(dim=1)
