"""Deconvnet: the way back through a network in which rectifiers rectify what comes back."""

from dataclasses import dataclass

from seewhy.core.cost import Cost
from seewhy.core.method import Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.rules.rectifiers import DECONVNET, blindness, remarks


@register
@dataclass(frozen=True)
class Deconvnet(Method):
    """Go back through the network, and at each rectifier hand on what is positive, whether the rectifier was open or not.

    map = max_c |R_c|, with R the gradient of the score at the input in which every ReLU y = relu(x) gives back relu(R_y) instead of
    R_y * relu'(x).

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative, in units of the score per unit of the network's input; it is
        no derivative, so only its pattern counts. The coverage says which operations were met.

    Raises:
        MethodError: the network has no rectifier.

    Limits: forgets where rectifiers were closed, so what depends on the picture comes from the max pools alone: without them the map is
        the same for every picture, which a note says. Says little about the class (Nie et al. 2018, arXiv 1805.07039). Defined for rectifiers: at GELU, SiLU and the like the
        plain gradient is taken, and a note says at which share.
    Source: Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, arXiv 1311.2901, section 2.1; as a rule for gradients
        in Springenberg et al. 2015, arXiv 1412.6806, section 3.4. Differs in: starts at the target's score, not at one feature; the map is
        the largest magnitude over the channels of each pixel; ReLU6 is a rectifier too.
    """

    key = "deconvnet"
    title = "Deconvnet"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "{unit} per unit of input"
    source = Source("Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks", "1311.2901")
    merit = "the first of its kind; shows what max pools let through"
    caution = "hardly depends on the class, and without max pools not at all on the picture"

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def cost(self) -> Cost:
        """Return the shared forward, and one pass and its way back under the rule."""
        return Cost(2, 1)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap and what was met on the way back."""
        made = probe.propagated(DECONVNET, self.needs())
        heatmap = made.trace.gradient[INPUT].abs().amax(dim=1)
        notes = remarks(made.coverage) + blindness(made.coverage)
        return Attribution(heatmap, notes=notes, coverage=made.coverage)
