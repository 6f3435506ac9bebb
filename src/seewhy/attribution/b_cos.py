"""B-cos: the linear map that a B-cos network is at this picture, drawn as it is."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.relevance import conserving
from seewhy.errors import MethodError
from seewhy.rules.b_cos import Met, b_cos_rules


@register
@dataclass(frozen=True)
class BCos(Method):
    """Draw W(x) x of a B-cos network: its answer is that sum, pixel by pixel.

    A B-cos unit is |cos(x, w)|^(B - 1) w x, so a network of them is f(x) = W(x) x, with W(x) the product of its weights and scalings:

    map = sum_c W(x)_c x_c, with every scaling held constant

    Scalings are found at the level of operations, however the network writes them: a factor that hangs on the picture only through magnitudes and norms. The
    channels of an encoding [x, 1 - x] are summed, also where the network encodes the picture itself. Largest of several units (MaxOut), rectifiers, means,
    constant norms and attention weights are linear once they are settled, and are held as they are.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. For a logit the sum is the logit minus what
        biases add, which is the residual; a network without biases leaves none.

    Raises:
        MethodError: the network has no B-cos unit, or an operation that is neither linear nor a scaling.

    Limits: exact about this picture's W(x), which is another one for another picture: what would happen if the picture changed, it does not say.
    Source: Boehle et al. 2022, B-cos Networks, arXiv 2205.10268, equations 3 to 13; Boehle et al. 2024, arXiv 2306.10898. Differs in: works without the
        network's help, which need not have an explanation mode; only contributions are drawn, not the rows of W(x) in colour.
    """

    key = "b-cos"
    title = "B-cos"
    family = "propagation"
    signed = True
    resolution = "input"
    complete = True
    source = Source("Boehle et al. 2022, B-cos Networks", "2205.10268", "equations 3-13")
    merit = "exact: the network is this linear map at this picture; one pass"
    caution = "only for B-cos networks; refuses others"

    def needs(self) -> Needs:
        """Return nothing of the shared pass: the rules want one of their own."""
        return Needs()

    def cost(self) -> Cost:
        """Return the shared pass, and one under rules."""
        return Cost(2, 1)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, what was met, and what the map lacks of the score."""
        met = Met()
        found = probe.propagated(b_cos_rules(met), Needs())
        if not met.scalings:
            raise MethodError(
                "the network has no B-cos unit, a sum that is scaled by a power of its own cosine, so there is no linear map to draw (one that holds its "
                "scalings constant by itself, in an explanation mode, must leave that mode); 'integrated-gradients' or 'lrp' fit other networks"
            )
        heatmap = (found.trace.inputs * found.trace.gradient[INPUT]).sum(dim=1)
        return conserving(heatmap + _shifts(met, heatmap), found)


def _shifts(met: Met, heatmap: Float[Tensor, "b *spatial"]) -> Float[Tensor, "b *spatial"]:
    """Return what the constants add that were added to the picture itself, such as the 1 of 1 - x."""
    terms = [shift.constant * gradient for shift in met.shifts for gradient in shift.arrived]
    return sum((term.to(heatmap).sum(dim=1) for term in terms), torch.zeros_like(heatmap))
