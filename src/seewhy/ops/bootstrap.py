"""Bootstrap: how far a mean over cases would move if the cases were others of their kind."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

DRAWS = 2000
"""Samples with replacement that are drawn."""
LEVEL = 0.95
"""How often an interval is to hold the truth."""
_AT_ONCE = 1 << 22
"""Numbers that are drawn at once."""


def resampled_means(values: Float[Tensor, "n m"], generator: Generator, draws: int = DRAWS) -> Float[Tensor, "draws m"]:
    """Return the means of m columns over n cases drawn anew with replacement, the same cases for all columns; NaN is no case.

    Which cases are drawn depends on n and the generator alone, so that two sets of columns of the same cases can be compared draw by draw.

    Source: Efron 1979, Bootstrap methods, doi 10.1214/aos/1176344552.
    """
    present = ~values.isnan()
    both = torch.cat([values.nan_to_num(0.0), present.to(values)], dim=1).double()  # (n, 2m)
    means = []
    for counts in _counts(len(values), draws, generator):
        sums, cases = (counts @ both).chunk(2, dim=1)
        means.append(sums / cases)  # 0 / 0 is NaN: none of the cases was drawn
    return torch.cat(means)


def _counts(n: int, draws: int, generator: Generator) -> Iterator[Float[Tensor, "part n"]]:
    """Yield how often each of n cases is drawn, some draws at a time."""
    rows = max(1, _AT_ONCE // n)
    for begin in range(0, draws, rows):
        cases = torch.randint(n, (min(rows, draws - begin), n), generator=generator)
        once = torch.ones(1, dtype=torch.float64).expand(cases.shape)
        yield torch.zeros(cases.shape, dtype=torch.float64).scatter_add_(1, cases, once)


def interval(
    means: Float[Tensor, "draws m"], cases: Int[Tensor, " m"], level: float = LEVEL
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Return the ends of the expanded percentile interval of each column.

    The plain percentiles of the resampled means are too near for few cases, by (n - 1) / n in the variance and by taking the normal
    distribution for Student's. The expanded ones are at the level Phi(-sqrt(n / (n - 1)) t), with t the quantile of Student's
    distribution with n - 1 degrees of freedom: for a mean of normal values that makes them right.

    Args:
        means: resampled means.
        cases: n of each column; with fewer than two there is nothing to resample, and both ends are the middle of the means.
        level: how often the interval is to hold the truth.

    Source: Hesterberg 2015, What Teachers Should Know about the Bootstrap, arXiv 1411.5279, section on the expanded percentile interval.
    """
    ordered = means.sort(dim=0).values  # NaN comes last
    known = (~means.isnan()).sum(dim=0)
    outside = torch.tensor([_outside(int(n), level) for n in cases], dtype=torch.float64)
    low, high = (_quantile(ordered, known, share) for share in (outside, 1 - outside))
    return low, high


def _outside(cases: int, level: float) -> float:
    """Return the share of resampled means below the interval."""
    from scipy.stats import norm, t  # type: ignore[import-untyped]

    if cases < 2:
        return 0.5
    return float(norm.cdf(-math.sqrt(cases / (cases - 1)) * t.ppf((1 + level) / 2, cases - 1)))


def _quantile(
    ordered: Float[Tensor, "draws m"], known: Int[Tensor, " m"], share: Float[Tensor, " m"]
) -> Float[Tensor, " m"]:
    """Return a quantile of each column of ordered values, of which the first so many are known; linear between two of them."""
    place = (share * (known - 1)).clamp_min(0)
    below = place.floor().long()
    above = torch.minimum(below + 1, (known - 1).clamp_min(0))
    first, second = (ordered.gather(0, row[None])[0] for row in (below, above))
    return torch.where(above > below, torch.lerp(first, second, place - below), first)
