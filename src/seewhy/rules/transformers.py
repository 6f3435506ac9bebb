"""Rules of relevance propagation for transformers: attention is two products and a softmax, and each has a rule."""

from seewhy.core.rules import Operation, Rewrite, Rules
from seewhy.errors import ConfigError
from seewhy.rules.composites import EXACT
from seewhy.rules.passing import ACTIVATIONS, GATES, NORMS, halved, held, named
from seewhy.rules.relevance import epsilon_rule, gamma_rule, live

SOFTMAX = ("softmax", "log_softmax")


def favouring(gamma: float, epsilon: float) -> Rewrite:
    """Return the gamma rule, or the epsilon rule where gamma is 0.

    Raises:
        ConfigError: a negative number.
    """
    if gamma < 0 or epsilon < 0:
        raise ConfigError(f"gamma and epsilon must not be negative, got {gamma} and {epsilon}")
    return gamma_rule(gamma, epsilon) if gamma else epsilon_rule(epsilon)


def _products(linear: Rewrite) -> Rewrite:
    """Return the rule of a linear map where one factor is constant, else half of the relevance for each factor."""

    def rewrite(operation: Operation) -> object:
        return linear(operation) if live(operation) == 1 else halved(operation)

    return rewrite


def _linear(dense: Rewrite, convolution: Rewrite) -> dict[str, Rewrite]:
    return {
        "linear": dense,
        **named(_products(dense), "matmul", "einsum"),
        **named(convolution, "convolution", "transposed convolution"),
    }


def attn_lrp_rules(dense: Rewrite, convolution: Rewrite) -> Rules:
    """Return the rules of AttnLRP: softmax by its tangent, products half and half, the deviation of norms held constant.

    The tangent of softmax at x gives R_i = x_i (R_i - s_i sum_j R_j), which is x times its plain gradient; what the tangent leaves at
    x = 0 is kept like a bias. Gates (sigmoid) are held constant: by the tangent and halves, what a recurrent layer remembers would lose half
    of its relevance at each step.
    """
    return Rules(
        "AttnLRP",
        {**ACTIVATIONS, **NORMS, **GATES, **_linear(dense, convolution), "mul": halved},
        exact=EXACT | {*SOFTMAX},
        on_fallback="refuse",
        merge_norms=True,
    )


def cp_lrp_rules(dense: Rewrite, convolution: Rewrite) -> Rules:
    """Return the rules of CP-LRP: attention weights, gates and the deviation of norms are held constant, so relevance goes through the values."""
    return Rules(
        "CP-LRP",
        {**ACTIVATIONS, **NORMS, **GATES, **_linear(dense, convolution), **named(held, *SOFTMAX), "mul": halved},
        exact=EXACT,
        on_fallback="refuse",
        merge_norms=True,
    )


LIBRA = Rules(
    "LibraGrad",
    {**ACTIVATIONS, **NORMS, **GATES, **named(held, *SOFTMAX), **named(halved, "mul", "matmul", "einsum")},
    exact=EXACT | {"convolution", "transposed convolution", "linear"},
    on_fallback="refuse",
)
"""Gradients with some ways cut (through attention weights, gates and the deviation of norms) and others scaled (a product counts once)."""
