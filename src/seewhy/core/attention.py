"""What attention layers did in one pass."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class AttentionTrace:
    """The attention of one layer over the tokens of the picture.

    Attributes:
        layer: name of the module that computes it.
        weights: (b, heads, n, n), rows are the tokens that look, columns those that are looked at; rows add up to 1. Attention within
            windows is spread out over all tokens of its stage, with zeros elsewhere.
        extra: tokens without a place that come first: class, distillation, registers.
        grid: (h, w) of the other n - extra tokens, row by row.
        gradient: derivative of the score at the weights.
        own_gradient: derivative at the weights of the score that the head gives to this layer's own output.
    """

    layer: str
    weights: Float[Tensor, "b heads n n"]
    extra: int
    grid: tuple[int, ...]
    gradient: Float[Tensor, "b heads n n"] | None = None
    own_gradient: Float[Tensor, "b heads n n"] | None = None
