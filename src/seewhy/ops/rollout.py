"""Attention as matrices: rows are the tokens that look, columns those that are looked at. Heads are mixed, ways past a layer added."""

from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Fusion = Literal["mean", "max", "min"]


def fused(weights: Float[Tensor, "rows heads m m"], how: Fusion) -> Float[Tensor, "rows m m"]:
    """Mix the heads by their mean, their largest or their smallest value."""
    if how == "mean":
        return weights.mean(dim=1)
    return weights.amax(dim=1) if how == "max" else weights.amin(dim=1)


def discarded(matrix: Float[Tensor, "rows m m"], ratio: float) -> Float[Tensor, "rows m m"]:
    """Set to zero, for each token that looks, this share of the tokens that it looks at least at; the largest always stays."""
    count = min(int(ratio * matrix.shape[-1]), matrix.shape[-1] - 1)
    if count < 1:
        return matrix
    least = matrix.topk(count, dim=-1, largest=False).indices
    return matrix.scatter(-1, least, 0.0)


def with_way_past(matrix: Float[Tensor, "rows m m"]) -> Float[Tensor, "rows m m"]:
    """Return (A + I) / 2 with rows that add up to 1: half of what a token gets goes past the attention."""
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    both = matrix / _positive(matrix.sum(dim=-1, keepdim=True)) + identity
    return both / both.sum(dim=-1, keepdim=True)


def _positive(sums: Tensor) -> Tensor:
    """Return sums to divide by; rows of zeros stay zeros."""
    return sums.where(sums > 0, 1)


def finer(
    share: Float[Tensor, "b coarse"], extra: int, coarse: tuple[int, ...], fine: tuple[int, ...]
) -> Float[Tensor, "b fine"] | None:
    """Give what each cell of a coarse grid has in equal parts to the cells of the fine grid that were merged into it.

    Sums are kept. Tokens without a place keep what they have.

    Returns:
        The shares on the fine grid; None where its size is no multiple of the coarse one's, up to what padding fills.
    """
    if coarse == fine:
        return share
    factors = [-(-many // few) for many, few in zip(fine, coarse, strict=True)]
    if any(few != -(-many // factor) for many, few, factor in zip(fine, coarse, factors, strict=True)):
        return None
    parents = torch.zeros(fine, dtype=torch.long, device=share.device)
    for axis, (many, factor) in enumerate(zip(fine, factors, strict=True)):
        along = torch.arange(many, device=share.device) // factor
        parents = parents + along.view([-1 if other == axis else 1 for other in range(len(fine))]) * prod(
            coarse[axis + 1 :]
        )
    parent = parents.flatten()
    children = torch.bincount(parent, minlength=prod(coarse))
    given = share[:, extra:] / children
    return torch.cat([share[:, :extra], given[:, parent]], dim=1)
