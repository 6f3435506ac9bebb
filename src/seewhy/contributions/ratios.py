"""Bootstrap intervals of ratios and differences of means over pictures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seewhy.contributions.table import Estimate

DRAWS = 1000
_CELLS = 1 << 22


@dataclass(frozen=True, eq=False)
class Resampled:
    """Pictures drawn anew with replacement, many times: 95 % intervals by the percentiles of what the draws give.

    Args:
        pictures: how many there are.
        seed: of the draws, which are the same for all intervals.

    Source: Efron 1979, Bootstrap methods: another look at the jackknife.
    """

    pictures: int
    seed: tuple[int, ...]

    def ratios(self, parts: Float[np.ndarray, "n m"], whole: Float[np.ndarray, " n"]) -> list[Estimate]:
        """Return the sum of each column over the sum of `whole`."""
        if not len(parts) or whole.sum() <= 0:
            return [Estimate(0.0, 0.0, 0.0)] * parts.shape[1]
        sums = self._sums(np.concatenate([parts, whole[:, None]], axis=1))
        drawn = sums[:, :-1] / np.maximum(sums[:, -1:], np.finfo(float).tiny)
        return _estimates(parts.sum(0) / whole.sum(), drawn)

    def gaps(self, values: Float[np.ndarray, " n"], chosen: Float[np.ndarray, "n m"]) -> list[Estimate]:
        """Return the mean of the chosen pictures (1, others 0) minus that of the others, for each column."""
        sums = self._sums(np.concatenate([values[:, None] * chosen, chosen, values[:, None]], axis=1))
        return _estimates(
            _gap(values @ chosen, chosen.sum(0), values.sum(), len(values)),
            _gap(sums[:, : chosen.shape[1]], sums[:, chosen.shape[1] : -1], sums[:, -1:], len(values)),
        )

    def _sums(self, columns: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "d m"]:
        """Return the sum of each column in each draw; the draws are made anew each time, as they would fill the memory."""
        generator = np.random.default_rng(self.seed)
        together = max(1, _CELLS // self.pictures)
        parts = []
        for begin in range(0, DRAWS, together):
            rows = min(together, DRAWS - begin)
            drawn = generator.integers(0, self.pictures, (rows, self.pictures))
            drawn += np.arange(rows)[:, None] * self.pictures
            times = np.bincount(drawn.ravel(), minlength=rows * self.pictures).reshape(rows, -1)
            parts.append(times @ columns)
        return np.concatenate(parts)


def _gap(inside: np.ndarray, count: np.ndarray, whole: np.ndarray, pictures: int) -> np.ndarray:
    """Return a difference of means; NaN where a draw has all pictures on one side."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return inside / count - (whole - inside) / (pictures - count)


def _estimates(values: Float[np.ndarray, " m"], drawn: Float[np.ndarray, "d m"]) -> list[Estimate]:
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    return [Estimate(float(value), float(a), float(b)) for value, a, b in zip(values, low, high, strict=True)]
