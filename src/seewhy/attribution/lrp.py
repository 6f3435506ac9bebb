"""Layer-wise relevance propagation: the score is handed back from layer to layer, and what a layer is given it shares out."""

from dataclasses import dataclass
from typing import Literal, get_args

from seewhy.core.method import Source
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.relevance import RelevanceMethod
from seewhy.core.rules import Rules
from seewhy.errors import ConfigError
from seewhy.rules.composites import Composite, First, Strength, composite_rules
from seewhy.rules.relevance import Biases


@register
@dataclass(frozen=True)
class LRP(RelevanceMethod):
    """Give each unit relevance, R_k = score at the top, and share it among the unit's inputs by a rule, down to the pixels.

    map = sum_c R_c at the input, with, for z_j = sum_i x_i w_ij + b_j,

    - epsilon, for dense layers: R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j
    - z+ ("epsilon-plus"), for convolutions: R_i = sum_j (x_i w_ij)+ / sum_i (x_i w_ij)+ R_j
    - gamma ("epsilon-gamma-box"): contributions that have the sign of z_j count 1 + gamma times
    - alpha-beta ("epsilon-alpha2-beta1"): 2 times the share in the positive part, minus the share in the negative part
    - gates (sigmoid), also those of LSTM and GRU: constants, so of gate times signal the signal gets all; tanh passes relevance on
    - first layer, by `first`: "box": x_i w_ij - l w_ij+ - h w_ij- with black l and white h; "flat": all alike; "squares": w_ij squared

    Args:
        composite: which rule convolutions get: "epsilon-plus", "epsilon-gamma-box", "epsilon-alpha2-beta1", or "epsilon", which without
            biases and with epsilon 0 is input x gradient.
        first: the rule for the layer that sees the pixels; "auto" is "box" for "epsilon-gamma-box" and else "same", the rule of all others.
        epsilon: share of a layer's root mean square that is added to what is divided by.
        gamma: of "epsilon-gamma-box".
        biases: "absorb": a bias keeps its share, which the map then lacks; "share": it is shared among the inputs, but where a unit has
            none that contributes.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive speaks for the target. The residual is the score
        minus its sum: what biases, ceilings and epsilon kept. Batch norms are merged into the layers before them, others are held constant.

    Raises:
        ConfigError: an unknown rule or a negative number; black and white are wanted, and the model does not state its mean and std.
        MethodError: the network has attention or other operations without a rule.

    Limits: a sum that is kept does not make the shares true: rules differ, and so do their maps. z+ and alpha-beta hardly tell classes
        apart, as they follow what is excited; "epsilon" is as noisy as the gradient.
    Source: Bach et al. 2015, On Pixel-Wise Explanations by Layer-Wise Relevance Propagation, doi 10.1371/journal.pone.0130140, equations 56
        to 60; composites: Montavon et al. 2019, doi 10.1007/978-3-030-28954-6_10; box rule: Montavon et al. 2017, arXiv 1512.02479;
        gates: Arras et al. 2017, Explaining Recurrent Neural Network Predictions in Sentiment Analysis, arXiv 1706.07206, section 3.2.
        Differs in: epsilon is relative to the layer's outputs; negative activations and sums, by the sign of each contribution.
    """

    composite: Composite = "epsilon-plus"
    first: Literal["auto"] | First = "auto"
    epsilon: float = 1e-6
    gamma: float = 0.25
    biases: Biases = "absorb"

    key = "lrp"
    title = "LRP"
    source = Source(
        "Bach et al. 2015, Layer-Wise Relevance Propagation, doi 10.1371/journal.pone.0130140", "", "equations 56-60"
    )
    merit = "one pass and one way back; calm maps at pixel resolution that share out the score"
    caution = "other rules draw other maps; z+ and alpha-beta show what is excited, for whichever class"

    def __post_init__(self) -> None:
        known = {"composite": get_args(Composite), "first": ("auto", *get_args(First))}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ConfigError(f"lrp: {name} is one of {', '.join(values)}, got {getattr(self, name)!r}")
        _ = self.strength

    @property
    def strength(self) -> Strength:
        """The numbers in the rules."""
        return Strength(self.epsilon, self.gamma, self.biases)

    def rules(self, probe: Probe) -> Rules:
        """Return what is put in the place of which operation."""
        first = self.first
        if first == "auto":
            first = "box" if self.composite == "epsilon-gamma-box" else "same"
        low, high = (probe.stand_in("black"), probe.stand_in("white")) if first == "box" else (None, None)
        return composite_rules(self.composite, self.strength, self.strength.of_first(first, low, high))
