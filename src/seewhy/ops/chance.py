"""How likely chance alone is: permutation tests with strata, and the correction for many of them."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import stats  # type: ignore[import-untyped]

_TOGETHER = 128


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number: the chance that any true null is called false stays below what is read off.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    order = np.argsort(values, kind="stable")
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected


def shuffled_within(strata: Int[np.ndarray, " n"], generator: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Return an order of the places 0 … n - 1 that moves each only among those of its stratum; strata are counted from 0."""
    groups = strata.astype(np.int16) if strata.max(initial=0) < 1 << 15 else strata  # which numpy sorts by counting
    shuffled = generator.permutation(len(strata))
    order = np.empty(len(strata), dtype=np.intp)
    order[np.argsort(groups, kind="stable")] = shuffled[np.argsort(groups[shuffled], kind="stable")]
    return order


def block_test(  # noqa: PLR0917 (the test has as many parts)
    response: Float[np.ndarray, " n"],
    block: Float[np.ndarray, "n f"],
    others: Float[np.ndarray, "n g"],
    strata: Int[np.ndarray, " n"],
    draws: int,
    generator: np.random.Generator,
) -> float | None:
    """Return the chance of a block of columns explaining so much of a response beyond other columns, were it without effect.

    Everything is taken as distance from the mean of its stratum. What the other columns leave of the response is shuffled within
    strata, and counted is how often the block then explains at least as much; the smallest value is 1 / (draws + 1).

    Args:
        response: what is explained.
        block: the columns in question.
        others: the columns that are known anyway; may have none.
        strata: only pictures of one stratum are exchanged.
        draws: how many shuffles.
        generator: of the shuffles.

    Returns:
        The p-value; None where the other columns determine the block.

    Source: Freedman and Lane 1983, A nonstochastic interpretation of reported significance levels.
    """
    response, block, others = (centred(values, strata) for values in (response[:, None], block, others))
    known = orthonormal(others)
    added = orthonormal(block - known @ (known.T @ block), float(np.linalg.norm(block, axis=0).max(initial=0.0)))
    if not added.shape[1]:
        return None
    rest = (response - known @ (known.T @ response))[:, 0]

    def share(residuals: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
        """Return the explained sum of squares over what remains of each column."""
        left = residuals - known @ (known.T @ residuals)
        total = (left**2).sum(0)
        part: Float[np.ndarray, " d"] = np.divide(
            ((added.T @ left) ** 2).sum(0), total, out=np.zeros_like(total), where=total > 0
        )
        return part

    found = float(share(rest[:, None])[0])
    reached = sum(
        int((share(np.stack([rest[order] for order in orders], 1)) >= found * (1 - 1e-9)).sum())
        for orders in _orders(strata, draws, generator)
    )
    return (reached + 1) / (draws + 1)


def rank_test(
    response: Float[np.ndarray, " n"], chosen: Float[np.ndarray, " n"], strata: Int[np.ndarray, " n"]
) -> float:
    """Return the chance of the chosen pictures ranking so high or so low within their strata, two-sided.

    Ranks divided by the size of the stratum plus one, whose mean and variance over all shuffles within strata are known; the normal
    distribution stands for theirs.

    Source: van Elteren 1960, On the combination of independent two-sample tests of Wilcoxon.
    """
    difference, variance = 0.0, 0.0
    for stratum in np.unique(strata):
        inside = strata == stratum
        count, size = int(inside.sum()), float(chosen[inside].sum())
        if count < 2 or not 0 < size < count:
            continue
        scores = stats.rankdata(response[inside]) / (count + 1)
        difference += float(scores @ chosen[inside]) - size * scores.mean()
        variance += size * (count - size) / count * scores.var(ddof=1)
    return 1.0 if variance == 0 else float(2 * stats.norm.sf(abs(difference) / np.sqrt(variance)))


def centred(values: Float[np.ndarray, "n f"], strata: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n f"]:
    """Return values as distances from the mean of their stratum."""
    _, places = np.unique(strata, return_inverse=True)
    sums = np.stack([np.bincount(places, column) for column in values.T], 1) if values.shape[1] else values[:0]
    return values - (sums / np.bincount(places)[:, None])[places] if values.shape[1] else values


def orthonormal(columns: Float[np.ndarray, "n f"], scale: float = 1.0) -> Float[np.ndarray, "n g"]:
    """Return an orthonormal basis of what the columns span, without directions that are rounding beside `scale`."""
    if not columns.shape[1]:
        return columns
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    floor = max(scale, float(sizes[0])) * 1e-8
    return left[:, sizes > floor]


def _orders(
    strata: Int[np.ndarray, " n"], draws: int, generator: np.random.Generator
) -> Iterator[list[Int[np.ndarray, " n"]]]:
    """Yield shuffles in groups, so that memory does not grow with their number."""
    for begin in range(0, draws, _TOGETHER):
        yield [shuffled_within(strata, generator) for _ in range(min(_TOGETHER, draws - begin))]
