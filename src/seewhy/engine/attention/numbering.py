"""Which token is which, found out by gradients: each is given a number, and the gradient says where the number arrives."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.engine.grid import Grid
from seewhy.errors import MethodError

OTHERS = "use a method that needs no attention, such as 'grad-cam' or 'rise'"
_BASE = {torch.float64: 64, torch.float32: 64}
"""Numbers of tokens are read digit by digit from quotients of gradients; half precision tells fewer digits apart."""


def token_slots(source: Tensor, value: Tensor, name: str, extra: int = 0) -> Int[Tensor, "b n"]:
    """Return, for each token of a layer's output, which token of the values it feeds, counted over all windows.

    Args:
        source: what the layer put out, (b, n, c) or (b, *size, c), part of the graph.
        value: the values of an attention, (rows, ..., m, c).
        name: of the attention, for people.
        extra: tokens of the layer's output that are left out: those that come first.

    Raises:
        MethodError: a token feeds several of the values, or none.
    """
    rows, size = len(value), value.shape[-2]
    base, count = _BASE.get(value.dtype, 12), len(value) * value.shape[-2]
    numbers = torch.arange(count, device=value.device).view(rows, *[1] * (value.dim() - 3), size, 1)
    mixture = mixture_of(value)
    plain = gradient_at(source, value, mixture.expand(value.shape), name)[:, extra:]
    slots = torch.zeros(plain.shape[:2], dtype=torch.long, device=value.device)
    power = 1
    while power < count:
        digit = numbers // power % base
        coded = gradient_at(source, value, (mixture * (digit + 1)).expand(value.shape), name)[:, extra:]
        slots += power * (_quotient(coded, plain, name) - 1)
        power *= base
    if int(slots.flatten().bincount().max()) > 1:
        raise MethodError(f"several places of the picture seem to be one token of {name}; {OTHERS}")
    return slots


def row_by_row(slots: Int[Tensor, "b n"], grid: Grid) -> Int[Tensor, "b n"]:
    """Return numbers of a sequence of tokens with its places row by row; tokens without a place stay first."""
    if not grid.order:
        return slots
    return torch.cat([slots[:, : grid.extra], slots[:, grid.extra :][:, grid.sequence()]], dim=1)


def mixture_of(value: Tensor) -> Float[Tensor, " c"]:
    """Return random weights for the channels of a tensor, always the same."""
    return torch.randn(value.shape[-1], generator=torch.Generator().manual_seed(0)).to(value)


def gradient_at(source: Tensor, value: Tensor, weights: Tensor, name: str) -> Float[Tensor, "b n c"]:
    """Return the derivative of a weighted sum of values at what a layer put out, token by token; the graph stays."""
    (found,) = torch.autograd.grad(value, [source], weights, retain_graph=True, allow_unused=True)
    if found is None:
        raise MethodError(f"{name} does not take its values from the layer before it; {OTHERS}")
    return found.flatten(1, -2)


def _quotient(coded: Float[Tensor, "b n c"], plain: Float[Tensor, "b n c"], name: str) -> Int[Tensor, "b n"]:
    """Return the whole number by which one gradient is a multiple of another, at each place; raise `MethodError` where it is none."""
    squares = (plain * plain).sum(dim=-1)
    times = (coded * plain).sum(dim=-1) / squares
    whole = times.round()
    apart = (coded - whole[..., None] * plain).norm(dim=-1) / coded.norm(dim=-1)
    limit = 1e-2 if plain.dtype in _BASE else 0.1
    if not bool(squares.min() > 0) or not bool(apart.max() < limit):
        raise MethodError(
            f"the tokens within the windows of {name} do not each come from one place of the picture; {OTHERS}"
        )
    return whole.long()
