"""Saliency: how strongly each pixel would move the score."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register


@register
@dataclass(frozen=True)
class Saliency(Method):
    """Take the largest magnitude of the gradient over the channels of each pixel.

    map = max_c |d score / d x_c|.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative, in units of the score per unit of the network's input.

    Limits: says where a small change moves the score, not what the score is made of; noisy in deep networks.
    Source: Simonyan et al. 2014, Deep Inside Convolutional Networks, arXiv 1312.6034, section 3.1. Differs in: nothing.
    """

    key = "saliency"
    title = "Saliency"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "{unit} per unit of input"
    source = Source("Simonyan et al. 2014, Deep Inside Convolutional Networks", "1312.6034", "section 3.1")
    merit = "the plain derivative: one backward, no settings"
    caution = "shows where a small change moves the score, not what the score is made of; noisy"

    def needs(self) -> Needs:
        """Return the gradient at the input."""
        return Needs(gradients=frozenset({INPUT}))

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        return probe.trace().gradient[INPUT].abs().amax(dim=1)
