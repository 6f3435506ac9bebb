"""Ranks, and how far two orders agree."""

from jaxtyping import Float
from torch import Tensor


def ranks(values: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Return the rank of each value, from 0 to n - 1; equal values share the mean of their ranks."""
    one, other = values[..., :, None], values[..., None, :]
    below, ties = (other < one).sum(dim=-1), (other == one).sum(dim=-1)
    return below.to(values) + (ties.to(values) - 1) / 2


def correlation(rows: Float[Tensor, "m n"]) -> Float[Tensor, "m m"]:
    """Return the correlation of each row with each; NaN for a row that is constant."""
    centred = rows - rows.mean(dim=1, keepdim=True)
    unit = centred / centred.norm(dim=1, keepdim=True)  # 0 / 0 is NaN, as wanted
    found: Tensor = unit @ unit.T
    return found


def rank_correlation(rows: Float[Tensor, "m n"]) -> Float[Tensor, "m m"]:
    """Return Spearman's correlation of each row with each, ties counted by mean ranks; NaN for a row that is constant."""
    return correlation(ranks(rows))
