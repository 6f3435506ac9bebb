"""Rules of relevance propagation for everything that is not linear: activations, gates, products, norms."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from seewhy.core.rules import Operation, Rewrite
from seewhy.rules.carrying import carried
from seewhy.rules.relevance import live


def identity(operation: Operation) -> Tensor:
    """Pass relevance on unchanged, R_i = R_j: y = x * (y / x), with the factor held constant. For functions with f(0) = 0."""
    x, value = operation.input, operation.run()
    nothing = x == 0
    factor = (value / x.masked_fill(nothing, 1)).masked_fill(nothing, 0)
    return carried(value, x * factor.detach())


def clamped(operation: Operation) -> Tensor:
    """Pass relevance on unchanged, above a ceiling too; bounds that leave no zero are constants, and keep their share."""
    moves_zero = bool(operation.on(torch.zeros_like(operation.input)).any())
    value: Tensor = operation.run() if moves_zero else identity(operation)
    return value


def held(operation: Operation) -> Any:
    """Hold constant: nothing comes back through a gate, a spread or a distance."""
    made = operation.run()
    return type(made)(part.detach() for part in made) if isinstance(made, tuple) else made.detach()


def spread_held(operation: Operation) -> Any:
    """Hold the spread constant, not the mean that comes with it."""
    spread, mean = operation.run()
    return spread.detach(), mean


def halved(operation: Operation) -> Tensor:
    """Share the relevance of a product of two things that depend on the image half and half: (a b) / 2, with the value kept."""
    value: Tensor = operation.run()
    factors = live(operation)
    return carried(value, value / factors) if factors > 1 else value


def divided(operation: Operation) -> Tensor:
    """Give all relevance of a quotient to what is divided; what divides is held constant."""
    first, second, *rest = operation.args
    second = second.detach() if isinstance(second, Tensor) else second
    value: Tensor = operation.function(first, second, *rest, **operation.kwargs)
    return value


def powered(operation: Operation) -> Any:
    """Pass relevance on through a positive power; a root that divides is held constant."""
    exponent = operation.argument(1, "exponent")
    usual = isinstance(exponent, (int, float)) and exponent > 0 and isinstance(operation.input, Tensor)
    return identity(operation) if usual else held(operation)


def layer_norm(operation: Operation) -> Tensor:
    """Norm with the deviation held constant: (x - mean x) / s * weight; the shift keeps its share."""
    x, shape, weight = operation.input, operation.argument(1, "normalized_shape"), operation.argument(2, "weight")
    axes = tuple(range(-len(shape), 0))
    carrier = _standardized(x, axes, operation.argument(4, "eps", 1e-5))
    return carried(operation.run(), carrier if weight is None else carrier * weight)


def group_norm(operation: Operation) -> Tensor:
    """Norm within groups of channels with the deviation held constant; the shift keeps its share."""
    x, groups, weight = operation.input, operation.argument(1, "num_groups"), operation.argument(2, "weight")
    grouped = x.reshape(len(x), groups, -1, *x.shape[2:])
    carrier = _standardized(grouped, tuple(range(2, grouped.dim())), operation.argument(4, "eps", 1e-5)).flatten(1, 2)
    return carried(operation.run(), _scaled(carrier, weight))


def instance_norm(operation: Operation) -> Any:
    """Norm within each channel with the deviation held constant; one with running statistics is linear already."""
    if not operation.argument(5, "use_input_stats", default=True):
        return operation.run()
    x, weight = operation.input, operation.argument(3, "weight")
    carrier = _standardized(x, tuple(range(2, x.dim())), operation.argument(7, "eps", 1e-5))
    return carried(operation.run(), _scaled(carrier, weight))


def _standardized(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    deviation = (x.var(axes, unbiased=False, keepdim=True) + eps).sqrt().detach()
    return (x - x.mean(axes, keepdim=True)) / deviation


def _scaled(values: Tensor, weight: Tensor | None) -> Tensor:
    return values if weight is None else values * weight.view(-1, *[1] * (values.dim() - 2))


def named(rule: Rewrite, *kinds: str) -> dict[str, Rewrite]:
    """Return the same rule for several kinds."""
    return dict.fromkeys(kinds, rule)


ACTIVATIONS: Mapping[str, Rewrite] = MappingProxyType(
    {
        **named(identity, "gelu", "silu", "mish", "hardswish", "elu", "selu", "celu", "leaky_relu", "rrelu", "prelu"),
        **named(identity, "tanh", "softsign", "tanhshrink", "hardshrink", "softshrink"),
        **named(clamped, "relu6", "hardtanh", "threshold", "clamp"),
    }
)
"""Activations with f(0) = 0 pass relevance on unchanged; a rectifier does so by its plain gradient."""

NORMS: Mapping[str, Rewrite] = MappingProxyType(
    {
        "layer norm": layer_norm,
        "group norm": group_norm,
        "instance norm": instance_norm,
        **named(identity, "rms norm", "normalize", "local_response_norm"),
        **named(held, "var", "std", "norm", "linalg_norm", "linalg_vector_norm", "rsqrt", "sqrt", "reciprocal", "abs"),
        **named(spread_held, "var_mean", "std_mean"),
        **named(powered, "pow", "square"),
        "div": divided,
    }
)
"""Norms, also those that a network writes out: what divides is held constant."""

GATES: Mapping[str, Rewrite] = MappingProxyType(named(held, "sigmoid", "hardsigmoid", "softplus"))
"""Gates: they open and close for others and get no relevance themselves; x * sigmoid(x) is then the identity rule for SiLU."""
