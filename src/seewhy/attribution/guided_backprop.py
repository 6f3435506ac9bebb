"""Guided backpropagation: the gradient, with what speaks against the target held back at every rectifier."""

from dataclasses import dataclass

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.rules.rectifiers import GUIDED, remarks


@register
@dataclass(frozen=True)
class GuidedBackprop(Method):
    """Go back through the network, and at each rectifier hand on only what is positive, where the rectifier was open.

    map = max_c |R_c|, with R the gradient of the score at the input in which every ReLU y = relu(x) gives back
    relu(R_y) * relu'(x) instead of R_y * relu'(x).

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative, in units of the score per unit of the network's input; it is
        no derivative, so only its pattern counts. The coverage says which operations were met.

    Raises:
        MethodError: the network has no rectifier.

    Limits: draws edges much as a filter would: random weights in the later layers hardly change the map, and other classes give nearly the
        same one (Adebayo et al. 2018, arXiv 1810.03292; Nie et al. 2018, arXiv 1805.07039). Defined for rectifiers: at GELU, SiLU and the
        like the plain gradient is taken, and a note says at which share.
    Source: Springenberg et al. 2015, Striving for Simplicity: The All Convolutional Net, arXiv 1412.6806, section 3.4. Differs in: the map
        is the largest magnitude over the channels of each pixel instead of a picture in colour; ReLU6 is a rectifier too.
    """

    key = "guided-backprop"
    title = "Guided Backprop"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "{unit} per unit of input"
    source = Source("Springenberg et al. 2015, Striving for Simplicity", "1412.6806", "section 3.4")
    merit = "clean, sharp lines at the resolution of the picture, from two passes"
    caution = "close to an edge detector: nearly the same for other classes and for random later layers"

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def cost(self) -> Cost:
        """Return the shared forward, and one pass and its way back under the rule."""
        return Cost(2, 1)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap and what was met on the way back."""
        made = probe.propagated(GUIDED, self.needs())
        heatmap = made.trace.gradient[INPUT].abs().amax(dim=1)
        return Attribution(heatmap, notes=remarks(made.coverage), coverage=made.coverage)
