"""Bootstrap intervals of ratios and differences of means over pictures."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.contributions.table import Estimate
from seewhy.ops.bootstrap import interval, resampled_means


@dataclass(frozen=True)
class Resampled:
    """Pictures drawn anew with replacement; all intervals that one of these gives are of the same draws.

    Attributes:
        seed: of the draws.
    """

    seed: int

    def ratios(self, parts: Float[np.ndarray, "n m"], whole: Float[np.ndarray, " n"]) -> list[Estimate]:
        """Return the sum of each column over the sum of `whole`, zero where that is zero."""
        if whole.sum() <= 0:
            return [Estimate(0.0, 0.0, 0.0)] * parts.shape[1]
        means = self._means(np.concatenate([parts, whole[:, None]], axis=1))
        counts = torch.full((parts.shape[1],), len(parts))
        return _estimates(parts.sum(0) / whole.sum(), means[:, :-1] / means[:, -1:], counts)

    def gaps(self, values: Float[np.ndarray, " n"], chosen: Float[np.ndarray, "n m"]) -> list[Estimate]:
        """Return the mean of the chosen pictures (1, others 0) minus that of the others, for each column; zero where there are no others."""
        sides = [np.where(side, values[:, None], np.nan) for side in (chosen == 1, chosen == 0)]
        inside, outside = self._means(np.concatenate(sides, axis=1)).chunk(2, dim=1)
        count = chosen.sum(0)
        mean = values @ chosen / np.maximum(count, 1)
        other = values @ (1 - chosen) / np.maximum(len(values) - count, 1)
        fewer = torch.from_numpy(np.minimum(count, len(values) - count)).long()
        return _estimates(np.where(fewer.numpy() > 0, mean - other, 0.0), inside - outside, fewer)

    def _means(self, columns: Float[np.ndarray, "n m"]) -> Float[Tensor, "draws m"]:
        return resampled_means(torch.from_numpy(columns), Generator().manual_seed(self.seed))


def _estimates(
    values: Float[np.ndarray, " m"], drawn: Float[Tensor, "draws m"], cases: Int[Tensor, " m"]
) -> list[Estimate]:
    low, high = interval(drawn, cases)
    rows = zip(values.tolist(), low.tolist(), high.tolist(), cases.tolist(), strict=True)
    return [Estimate(value, a, b) if count > 1 else Estimate(value, value, value) for value, a, b, count in rows]
