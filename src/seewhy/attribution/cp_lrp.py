"""CP-LRP: relevance propagation through attention whose weights are held constant, so that it conserves the score."""

from dataclasses import dataclass

from seewhy.core.method import Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.relevance import RelevanceMethod
from seewhy.core.rules import Rewrite, Rules
from seewhy.rules.transformers import cp_lrp_rules, favouring


@register
@dataclass(frozen=True)
class CPLRP(RelevanceMethod):
    """Hand the score back through a transformer as if attention weights and the deviations of norms were constants.

    map = sum_c R_c at the input, from R = score at the top, with

    - attention y_j = sum_i p_ij v_i: R_i = sum_j v_i p_ij / (sum_i v_i p_ij) R_j: all relevance goes to the values, none to queries and keys
    - layer norm: x -> (x - mean) / deviation * weight, with the deviation held constant
    - activations such as GELU: relevance passes unchanged
    - linear maps: R_i = sum_j x_i w_ij / z_j R_j, or the gamma rule

    Args:
        gamma: of linear maps; 0 is the paper's rule. A few hundredths make the map of a vision transformer calmer.
        gamma_convolution: of convolutions, such as the one that makes tokens of patches.
        epsilon: share of a layer's root mean square that is added to what is divided by.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The residual is the score
        minus its sum: what biases, embeddings of places and the class token kept; without those it is rounding.

    Raises:
        ConfigError: a negative gamma or epsilon.
        MethodError: an operation without a rule, such as sorting.

    Limits: says through which values the score came, never why attention looked there. With gamma 0 as noisy as the gradient.
        On a network without attention this is LRP.
    Source: Ali et al. 2022, XAI for Transformers: Better Explanations through Conservative Propagation, arXiv 2202.07304, section 4,
        equations 10 and 11. Differs in: the identity rule for activations such as GELU; gates (sigmoid) are held constant too, also those of LSTM and GRU.
    """

    gamma: float = 0.0
    gamma_convolution: float = 0.0
    epsilon: float = 1e-9

    key = "cp-lrp"
    title = "CP-LRP"
    source = Source("Ali et al. 2022, Conservative Propagation for Transformers", "2202.07304", "equations 10-11")
    merit = "conserves the score through any depth of attention, which is checked"
    caution = "never says why attention looked there; as noisy as the gradient unless gamma is raised"

    def __post_init__(self) -> None:
        _ = self._linear

    @property
    def _linear(self) -> tuple[Rewrite, Rewrite]:
        return favouring(self.gamma, self.epsilon), favouring(self.gamma_convolution, self.epsilon)

    def rules(self, probe: Probe) -> Rules:
        """Return what is put in the place of which operation."""
        return cp_lrp_rules(*self._linear)
