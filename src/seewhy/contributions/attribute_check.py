"""Whether the ranking of attributes is true: shuffle more and more of them, and see how soon nothing is explained any more."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats  # type: ignore[import-untyped]

from seewhy.contributions.attribute_model import Fitted
from seewhy.contributions.ratios import Resampled
from seewhy.contributions.table import Check, Curve, Estimate

ORDERS = 6
"""Random orders for each fold."""

POINTS = 12


def check(
    model: Fitted, rises: Float[np.ndarray, "n m"], halves: Sequence[Float[np.ndarray, " m"]], seed: int
) -> Check:
    """Shuffle attributes one after the other, in the order of the ranking and in random ones: how much stays explained?

    The order of each fold comes from the pictures of the others, so that no picture judges the ranking that it made. What is explained
    counts half the rise of the error, as the weights do: with all attributes shuffled it is nothing.

    Args:
        model: of the loss.
        rises: what each attribute does to the error of each picture.
        halves: the weights as each half of the pictures gives them.
        seed: of orders and draws.
    """
    generator, resampled = np.random.default_rng((seed, 3)), Resampled(seed)
    count, folds = rises.shape[1], range(len(model.folds))
    removed = tuple(int(step) for step in np.unique(np.linspace(0, count, min(POINTS, count + 1)).round()))
    outside = [np.setdiff1d(np.arange(len(rises)), fold.places) for fold in model.folds]
    ranked = [np.argsort(-rises[places].mean(0), kind="stable").tolist() for places in outside]
    chance = [[generator.permutation(count).tolist() for _ in folds] for _ in range(ORDERS)]
    ours = _explained(model, ranked, removed, generator)
    random = np.mean([_explained(model, orders, removed, generator) for orders in chance], axis=0)
    curves = (
        _curve("this ranking", removed, ours, model, resampled),
        _curve("random order", removed, random, model, resampled),
    )
    gap = resampled.ratios(_area(removed, random - ours)[:, None], model.variance)[0]
    stability = _agreement(*halves) if count > 2 else None
    return Check(curves, gap, stability, _verdict(curves, gap, stability), "share of the loss explained")


def _explained(
    model: Fitted, orders: Sequence[Sequence[int]], removed: Sequence[int], generator: np.random.Generator
) -> Float[np.ndarray, "n s"]:
    """Return what is explained of each picture's squared distance from the mean, after each step; an order for each fold."""
    steps = [[tuple(order[:gone]) for order in orders] for gone in removed]
    whole = model.whole()[:, None]
    explained: Float[np.ndarray, "n s"] = model.variance[:, None] - whole - (model.errors(steps, generator) - whole) / 2
    return explained


def _area(removed: Sequence[int], curve: Float[np.ndarray, "n s"]) -> Float[np.ndarray, " n"]:
    """Return the mean height of a curve over the share of attributes that are gone."""
    area: Float[np.ndarray, " n"] = np.trapezoid(curve, np.asarray(removed) / removed[-1], axis=1)
    return area


def _curve(
    order: str, removed: tuple[int, ...], curve: Float[np.ndarray, "n s"], model: Fitted, resampled: Resampled
) -> Curve:
    heights = resampled.ratios(curve, model.variance)
    area = resampled.ratios(_area(removed, curve)[:, None], model.variance)[0]
    return Curve(order, removed, tuple(heights), area)


def _agreement(first: Float[np.ndarray, " m"], second: Float[np.ndarray, " m"]) -> float | None:
    """Return Spearman's correlation; None where one side ranks nothing."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(stats.spearmanr(first, second).statistic)


def _verdict(curves: Sequence[Curve], gap: Estimate, stability: float | None) -> str:
    own, chance = (curve.area.value for curve in curves)
    facts = (
        f"while attributes are shuffled in its order, {own:.2f} of the loss stays explained on average, in random orders {chance:.2f} "
        f"(gap {gap.value:+.2f}, 95 % interval {gap.low:+.2f} to {gap.high:+.2f})"
    )
    if gap.low > 0:
        words = f"The ranking holds: {facts}."
    elif gap.high < 0:
        words = f"The ranking is worse than chance: {facts}."
    else:
        words = f"The ranking is not shown to be better than chance: {facts}."
    return (
        words
        if stability is None
        else f"{words} The rankings of two halves of the pictures correlate by {stability:.2f}."
    )
