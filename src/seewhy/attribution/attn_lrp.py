"""AttnLRP: relevance propagation through attention, to the weights as well as to the values."""

from dataclasses import dataclass

from seewhy.core.method import Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.relevance import RelevanceMethod
from seewhy.core.rules import Rewrite, Rules
from seewhy.rules.transformers import attn_lrp_rules, favouring


@register
@dataclass(frozen=True)
class AttnLRP(RelevanceMethod):
    """Hand the score back through a transformer: each operation shares what it is given by the rule of its own kind.

    map = sum_c R_c at the input, from R = score at the top, with

    - softmax s of x, by its tangent: R_i = x_i (R_i - s_i sum_j R_j)
    - products O = A V, also of queries and keys: R_A = sum A V / (2 O) R_O, and R_V likewise: half and half
    - layer norm: x -> (x - mean) / deviation * weight, with the deviation held constant
    - activations such as GELU and tanh: relevance passes unchanged
    - gates (sigmoid), also those of LSTM and GRU, are held constant: what they let through gets all (Arras et al. 2017)
    - linear maps: gamma rule, R_i = sum_j (x_i w_ij + gamma [x_i w_ij of the sign of z_j]) / (the same, summed over i) R_j

    Args:
        gamma: of linear maps; 0 is the epsilon rule, which on vision transformers is as noisy as the gradient.
        gamma_convolution: of convolutions, such as the one that makes tokens of patches.
        epsilon: share of a layer's root mean square that is added to what is divided by.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The residual is the score
        minus its sum: what biases, embeddings of places, the class token and the tangents of softmax kept.

    Raises:
        ConfigError: a negative gamma or epsilon.
        MethodError: an operation without a rule, such as sorting.

    Limits: the softmax keeps what its tangent does not explain, so the map does not add up even without biases. The map depends on gamma,
        and the authors choose it anew for each vision transformer. On a network without attention this is LRP with the gamma rule.
    Source: Achtibat et al. 2024, AttnLRP, arXiv 2402.05602, equations 8, 13, 14 and 16, proposition 3.4. Differs in: epsilon is relative to
        the layer's outputs; gamma is for negative activations and sums too, as the sign of each contribution says; gates, of which the paper does
        not speak, are held constant, as halves would take from what a recurrent layer remembers one half at each step.
    """

    gamma: float = 0.05
    gamma_convolution: float = 0.25
    epsilon: float = 1e-6

    key = "attn-lrp"
    title = "AttnLRP"
    source = Source("Achtibat et al. 2024, AttnLRP", "2402.05602", "equations 8 to 16")
    merit = "one pass through any stock transformer; relevance of every pixel, through attention weights too"
    caution = "softmax and biases keep a part, so look at the residual; another gamma draws another map"

    def __post_init__(self) -> None:
        _ = self._linear

    @property
    def _linear(self) -> tuple[Rewrite, Rewrite]:
        return favouring(self.gamma, self.epsilon), favouring(self.gamma_convolution, self.epsilon)

    def rules(self, probe: Probe) -> Rules:
        """Return what is put in the place of which operation."""
        return attn_lrp_rules(*self._linear)
