"""Which rule of relevance propagation goes where in a network of convolutions."""

from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from seewhy.core.rules import Operation, Rewrite, Rules
from seewhy.errors import ConfigError, MethodError
from seewhy.rules.kinds import CHOICES, LARGEST, LINEAR
from seewhy.rules.passing import ACTIVATIONS, GATES, NORMS, halved, named
from seewhy.rules.relevance import (
    Biases,
    alpha_beta_rule,
    box_rule,
    epsilon_rule,
    flat_rule,
    gamma_rule,
    squares_rule,
)

Composite = Literal["epsilon", "epsilon-plus", "epsilon-gamma-box", "epsilon-alpha2-beta1"]
First = Literal["same", "box", "flat", "squares"]

EXACT = (LINEAR | LARGEST | CHOICES | {"relu"}) - {"convolution", "transposed convolution", "linear"}
"""Kinds whose plain gradient, times the activation, is relevance shared in proportion: sums, means, pools, rectifiers, norms that are constant."""


def no_attention(operation: Operation) -> Tensor:
    """Refuse softmax.

    Raises:
        MethodError: always.
    """
    raise MethodError(
        f"there is no rule for {operation.kind}, as in attention; 'attn-lrp' and 'cp-lrp' have rules for transformers"
    )


@dataclass(frozen=True)
class Strength:
    """The numbers in the rules.

    Args:
        epsilon: of the epsilon rule, and what keeps any sum from dividing by nothing; a share of the size of a layer's outputs.
        gamma: how much more contributions weigh that agree with the sum.
        biases: whether biases keep their share.
    """

    epsilon: float
    gamma: float
    biases: Biases

    def __post_init__(self) -> None:
        if self.epsilon < 0 or self.gamma < 0:
            raise ConfigError(f"epsilon and gamma must not be negative, got {self.epsilon} and {self.gamma}")
        if self.biases not in get_args(Biases):
            raise ConfigError(f"biases are {' or '.join(map(repr, get_args(Biases)))}, got {self.biases!r}")

    def of_convolutions(self, composite: Composite) -> Rewrite:
        """Return the composite's rule for convolutions."""
        rules = {
            "epsilon": epsilon_rule(self.epsilon, self.biases),
            "epsilon-plus": alpha_beta_rule(1, 0, self.epsilon, self.biases),
            "epsilon-gamma-box": gamma_rule(self.gamma, self.epsilon, self.biases),
            "epsilon-alpha2-beta1": alpha_beta_rule(2, 1, self.epsilon, self.biases),
        }
        return rules[composite]

    def of_first(
        self, first: First, low: Float[Tensor, "b c *spatial"] | None, high: Float[Tensor, "b c *spatial"] | None
    ) -> Rewrite | None:
        """Return the rule for the layer that sees the pixels; None where it is the same as for others."""
        if first == "box" and low is not None and high is not None:
            return box_rule(low, high, self.epsilon)
        return {"flat": flat_rule(self.epsilon), "squares": squares_rule(self.epsilon)}.get(first)


def composite_rules(composite: Composite, strength: Strength, first: Rewrite | None) -> Rules:
    """Return the rules of a composite: one for convolutions, epsilon for what is dense, one for the first layer.

    Activations pass relevance on; sums, pools and what only moves numbers share it in proportion; the deviation of a norm and the
    gates of a network (sigmoid), those of LSTM and GRU included, are held constant. Attention is refused.
    """
    convolution, dense = strength.of_convolutions(composite), epsilon_rule(strength.epsilon, strength.biases)
    return Rules(
        f"LRP {composite}",
        {
            **ACTIVATIONS,
            **NORMS,
            **GATES,
            **named(convolution, "convolution", "transposed convolution"),
            **named(dense, "linear", "matmul", "einsum"),
            **named(no_attention, "softmax", "log_softmax"),
            "mul": halved,
        },
        exact=EXACT,
        on_fallback="refuse",
        first=first,
        merge_norms=True,
    )
