"""Excitation backprop: how probably each place is where a winning neuron's excitation comes from."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Attribution, Method, Source
from seewhy.core.needs import Needs, at
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.ops.channels import ratio
from seewhy.rules.excitation import excitation_rules


@register
@dataclass(frozen=True)
class ExcitationBackprop(Method):
    """Start with probability 1 at the target, and let each winner hand it down to the neurons that excite it.

    map = sum_c P(a_c) at the layer, with P(a_i) = sum_j P(a_i | a_j) P(a_j) and P(a_i | a_j) = x_i w_ij+ / sum_i x_i w_ij+.
    Contrastive: at the last layer P(a_i | a_j) is the share in w+ less the share in w-, which is what the opposite target would get, and
    what is negative at the layer is left out.

    Args:
        layer: where the probabilities are drawn; "auto" is the last one with a grid, an earlier one is finer.
        contrastive: take away what excites the opposite of the target too; tells classes apart.

    Returns:
        Heatmap (b, *spatial) at the layer's resolution, not negative: probabilities that add up to 1, or to less where only inhibition
        or a bias explains a winner; contrastive: differences of them.

    Raises:
        MethodError: the network has attention or layer norms, for which no such probabilities are defined.

    Limits: without the contrast it shows what excites the network whatever the class. Meant for activations that are not negative.
    Source: Zhang et al. 2016, Top-down Neural Attention by Excitation Backprop, arXiv 1608.00507, equations 3, 5 and 7. Differs in: a
        contribution counts by its own sign, so negative activations are allowed; sums of branches share by their positive parts; gates, also those of LSTM and GRU, are constants; one pass
        draws the contrast, for everything after the last layer is linear in it.
    """

    layer: str = AUTO
    contrastive: bool = False

    key = "excitation-backprop"
    title = "Excitation Backprop"
    family = "propagation"
    signed = False
    resolution = "layer"
    map_unit = "probability of a winner"
    source = Source("Zhang et al. 2016, Excitation Backprop", "1608.00507", "equations 3, 5 and 7")
    merit = "calm and positive; a probability; the contrast tells classes apart"
    caution = "without the contrast nearly the same map for every class"

    def needs(self) -> Needs:
        """Return the activation of the layer, so that it is checked early to have a grid."""
        return Needs(frozenset({self.layer}))

    def cost(self) -> Cost:
        """Return the shared pass, and one under rules."""
        return Cost(2, 1)

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, and what was met."""
        found = probe.propagated(excitation_rules(contrastive=self.contrastive), at(self.layer))
        relevance = (found.trace.activation[self.layer] * found.trace.gradient[self.layer]).sum(dim=1)
        return Attribution(_shares(relevance, found.trace.score).relu(), coverage=found.coverage)


def _shares(relevance: Float[Tensor, "b *spatial"], score: Float[Tensor, " b"]) -> Float[Tensor, "b *spatial"]:
    """Divide what came from the score by the score: the probability at the top is 1."""
    return ratio(relevance, score.view(-1, *[1] * (relevance.dim() - 1)))
