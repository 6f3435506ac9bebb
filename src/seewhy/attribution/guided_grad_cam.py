"""Guided Grad-CAM: the lines of guided backprop, where Grad-CAM finds the class."""

from dataclasses import dataclass

from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Attribution, Method, Source
from seewhy.core.needs import INPUT, Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import over_positions, weighted_sum
from seewhy.ops.filters import resize
from seewhy.rules.rectifiers import GUIDED, remarks


@register
@dataclass(frozen=True)
class GuidedGradCAM(Method):
    """Multiply the map of guided backprop by that of Grad-CAM, enlarged to the input.

    map = max_c |R_c| * up(relu(sum_k w_k A_k)), with R the guided gradient at the input, w_k the mean over positions of d score / d A_k,
    and up a linear interpolation.

    Args:
        layer: the layer of the Grad-CAM; "auto" is the last one with a grid.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, not negative; a product of two maps, so only its pattern counts. The coverage says
        which operations were met.

    Raises:
        MethodError: the network has no rectifier.

    Limits: the lines are those of an edge detector, whatever the network has learnt; which of them are seen is all that Grad-CAM adds. Where
        Grad-CAM is zero nothing is seen. Compare with Grad-CAM alone.
    Source: Selvaraju et al. 2017, Grad-CAM, arXiv 1610.02391, section 3.2. Differs in: the largest magnitude over the channels of each
        pixel instead of a picture in colour.
    """

    layer: str = AUTO

    key = "guided-grad-cam"
    title = "Guided Grad-CAM"
    family = "gradient"
    signed = False
    resolution = "input"
    map_unit = "product of two maps"
    source = Source("Selvaraju et al. 2017, Grad-CAM", "1610.02391", "section 3.2")
    merit = "fine lines that depend on the class"
    caution = "the lines come from an edge detector; only the place comes from the class"

    def needs(self) -> Needs:
        """Return activation and gradient of the layer."""
        return at(self.layer)

    def cost(self) -> Cost:
        """Return the shared pass with its way back, and one of both under the rule."""
        return Cost(2, 2)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap and what was met on the way back."""
        trace = probe.trace()
        weights = over_positions(trace.gradient[self.layer])  # (b, k)
        coarse = weighted_sum(weights, trace.activation[self.layer]).relu()
        made = probe.propagated(GUIDED, Needs())
        fine = made.trace.gradient[INPUT].abs().amax(dim=1)
        heatmap = fine * resize(coarse, tuple(fine.shape[1:]))
        return Attribution(heatmap, notes=remarks(made.coverage), coverage=made.coverage)
