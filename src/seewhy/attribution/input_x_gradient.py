"""Input x gradient: the gradient, weighted by what is there."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.method import Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register


@register
@dataclass(frozen=True)
class InputXGradient(Method):
    """Multiply the input by the gradient and sum over the channels of each pixel.

    map = sum_c x_c * d score / d x_c: the score's linear part at the image.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. For a network of
        ReLUs without biases the sum is the score; otherwise what the biases add is missing.

    Limits: zero where the input is zero in the network's own units, which is a mean colour, not black; as noisy as the gradient.
    Source: Shrikumar et al. 2016, Not Just a Black Box, arXiv 1605.01713, section 3.2. Differs in: nothing.
    """

    key = "input-x-gradient"
    title = "Input x Gradient"
    family = "gradient"
    signed = True
    resolution = "input"
    source = Source("Shrikumar et al. 2016, Not Just a Black Box", "1605.01713", "section 3.2")
    merit = "one backward; adds up on ReLU networks without biases"
    caution = "zero wherever the normalized input is zero, whatever the network sees there; noisy"

    def needs(self) -> Needs:
        """Return the gradient at the input."""
        return Needs(gradients=frozenset({INPUT}))

    def attribute(self, probe: Probe) -> Float[Tensor, "b *spatial"]:
        """Return the heatmap."""
        trace = probe.trace()
        return (trace.inputs * trace.gradient[INPUT]).sum(dim=1)
