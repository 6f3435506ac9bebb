"""Whether a ranking is true: take the units away in its order, on pictures that had no part in it, and see how fast the accuracy falls."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import permutations

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from seewhy.contributions.effects import Effects
from seewhy.contributions.estimate import estimates, ranking
from seewhy.contributions.study import Questions, Study
from seewhy.contributions.table import Check, Curve, Estimate
from seewhy.contributions.units import first_of
from seewhy.core.budget import Allowance
from seewhy.errors import ConfigError
from seewhy.ops.bootstrap import interval, resampled_means
from seewhy.ops.ranking import rank_correlation

POINTS = 12
"""Numbers of units gone at which the accuracy is taken, nothing and all among them."""
FEW = 4
"""With so many units at most, the ranking is compared with all orders that there are."""
SURE = 0.9
"""Share of the random orders that a ranking must beat, so that it is not one of the lucky ones."""
LEAST = 4
"""Pictures without which there are no two halves that could check each other."""


@dataclass(frozen=True, eq=False)
class Removal:
    """What became of each picture while units were taken away in some orders.

    Attributes:
        counts: how many units are gone, from none to all (p,).
        kept: whether the class is still the label (orders, n, p), for this ranking, the control by activation where there is one, and then
            the random orders.
        half: which half each picture is in (n,), 0 or 1.
        orders: names of the orders that are no random ones.
        every: whether the others are all orders that there are, and not a random choice.
    """

    counts: tuple[int, ...]
    kept: Float[Tensor, "o n p"]
    half: Int[Tensor, " n"]
    orders: tuple[str, ...]
    every: bool = False

    @property
    def areas(self) -> Float[Tensor, "o n"]:
        """The mean of `kept` over the share of units gone, by the trapezoid rule."""
        shares = torch.tensor(self.counts, dtype=torch.float64) / self.counts[-1]
        return torch.trapezoid(self.kept, shares, dim=2)


def check(study: Study, found: Effects, orders: int, seed: int, seconds: float | None = None) -> Check | None:
    """Return what taking units away says about the ranking; None where there are too few pictures, or no classes.

    The data is cut into two halves, alike in their classes. Each is ranked alone, and each ranking is judged on the other half, so that no
    picture judges a ranking that it had a part in.

    Args:
        study: the units and the pictures.
        found: what each unit does in each picture.
        orders: random orders to compare with, at least 10.
        seed: of the halves, the orders and the resampling.
        seconds: time that the removal may take; what was seen of each half until then counts. None is no limit.
    """
    if orders < 10:
        raise ConfigError(f"a ranking is compared with at least 10 random orders, got {orders}")
    if len(found.places) < LEAST or found.right.isnan().any() or found.score.shape[1] < 2:
        return None
    half = halves(found.labels, seed)
    removed = removal(study, found, half, orders=orders, seed=seed, seconds=seconds)
    gap = gap_to_random(removed, seed)
    made = Check(_curves(removed, seed), gap, stability(found, half), "", beats=share_beaten(removed))
    return replace(made, words=verdict(made, removed, len(half)))


def halves(labels: Int[Tensor, " n"], seed: int) -> Int[Tensor, " n"]:
    """Return the half of each picture, 0 or 1: at random, but the pictures of each class in turn."""
    shuffled = torch.randperm(len(labels), generator=Generator().manual_seed(seed))
    grouped = shuffled[labels[shuffled].argsort(stable=True)]
    return torch.empty_like(labels).index_put_((grouped,), torch.arange(len(labels)) % 2)


def removal(
    study: Study, found: Effects, half: Int[Tensor, " n"], *, orders: int, seed: int, seconds: float | None = None
) -> Removal:
    """Take units away from the pictures of each half in the orders that the other half gives, and in random ones."""
    count = found.score.shape[1]
    counts = removed_counts(count)
    generator = Generator().manual_seed(seed + 1)
    every = count <= FEW
    drawn = permutations(range(count)) if every else (torch.randperm(count, generator=generator) for _ in range(orders))
    chance = [torch.as_tensor(order) for order in drawn]
    fixed = ("this ranking", *(("by activation",) if found.sizes is not None else ()))
    kept = torch.full((len(fixed) + len(chance), len(half), len(counts)), torch.nan, dtype=torch.float64)
    kept[..., 0], kept[..., -1] = found.right, found.end
    row_of = {int(place): row for row, place in enumerate(found.places)}
    for side in (0, 1):
        ranked = _fixed_orders(found, half != side) + chance
        steps = [which for order in ranked for which in first_of(order, counts[1:-1])]
        if not steps:
            continue
        gone, step = torch.unique(
            torch.stack(steps), dim=0, return_inverse=True
        )  # orders of few units share their steps
        batches: Iterable[Questions] = study.asked(f"check, half {side + 1} of 2", found.places[half == side].tolist())
        if seconds is not None:
            batches = Allowance(seconds=seconds / 2).spend(batches)
        for questions in batches:
            rows = [row_of[place] for place in questions.batch.places]
            made = torch.stack([outcome.kept for outcome in questions.asked[0].outcomes(gone)], dim=1)  # (b, gone)
            kept[:, rows, 1:-1] = made[:, step].view(len(rows), len(ranked), -1).transpose(0, 1)
    seen = ~kept.isnan().any(dim=2).any(dim=0)
    return Removal(counts, kept[:, seen], half[seen], fixed, every)


def removed_counts(units: int) -> tuple[int, ...]:
    """Return how many units are gone at each point of a curve: from none to all, closer together at the beginning, where most happens."""
    steps = torch.linspace(0, 1, POINTS, dtype=torch.float64).square() * units
    return tuple(sorted({round(float(step)) for step in steps} | ({1} if units > 1 else set())))


def _fixed_orders(found: Effects, rows: Bool[Tensor, " n"]) -> list[Int[Tensor, " m"]]:
    """Return this ranking, and that by activation, as some of the pictures give them."""
    known = [ranking(found, rows)]
    if found.sizes is not None:
        known.append(found.sizes[rows].mean(dim=0))
    return [values.argsort(descending=True, stable=True) for values in known]


def gap_to_random(removed: Removal, seed: int) -> Estimate:
    """Return the area of random orders minus that of the ranking, with its 95 % interval over other pictures and other random orders."""
    areas, fixed = removed.areas, len(removed.orders)
    means = resampled_means(areas.T, Generator().manual_seed(seed))  # (draws, o)
    chance = means[:, fixed:]
    if not removed.every:
        generator = Generator().manual_seed(seed + 1)
        chance = chance.gather(1, torch.randint(chance.shape[1], chance.shape, generator=generator))
    low, high = interval((chance.mean(dim=1) - means[:, 0])[:, None], torch.tensor([areas.shape[1]]))
    return Estimate(float(areas[fixed:].mean() - areas[0].mean()), float(low), float(high))


def share_beaten(removed: Removal) -> float:
    """Return the share of the random orders under which more pictures stay right than under the ranking; equal ones count half."""
    areas = removed.areas.mean(dim=1)
    above = areas[len(removed.orders) :] - areas[0]
    equal = above.abs() < 1e-12
    return float(torch.where(equal, 0.5, (above > 0).double()).mean())


def stability(found: Effects, half: Int[Tensor, " n"]) -> float | None:
    """Return Spearman's correlation of the rankings of two halves; None where all units of one are alike."""
    pair = torch.stack([ranking(found, half == side) for side in (0, 1)])
    value = float(rank_correlation(pair)[0, 1])
    return None if value != value else value  # noqa: PLR0124 (NaN is not itself)


def _curves(removed: Removal, seed: int) -> tuple[Curve, ...]:
    """Return a curve for each order; the random ones are averaged picture by picture."""
    fixed = len(removed.orders)
    kept = [*removed.kept[:fixed], removed.kept[fixed:].mean(dim=0)]
    areas = [*removed.areas[:fixed], removed.areas[fixed:].mean(dim=0)]
    names = (*removed.orders, "random order")
    return tuple(
        Curve(name, removed.counts, tuple(estimates(one, seed)), estimates(area[:, None], seed)[0])
        for name, one, area in zip(names, kept, areas, strict=True)
    )


def verdict(found: Check, removed: Removal, pictures: int) -> str:
    """Say in a few sentences what the curves show.

    The ranking holds where the gap's interval lies above zero, and where it beats nearly all random orders: any order that matters at all does
    better or worse than the mean of the random ones, and half of them do better.
    """
    gap, own, chance = found.gap, found.curves[0].area.value, found.curves[-1].area.value
    orders, seen = len(removed.kept) - len(removed.orders), len(removed.half)
    beats, areas = found.beats or 0.0, removed.areas.mean(dim=1)
    best = removed.every and bool(areas[0] <= areas.min() + 1e-12)
    if gap.low > 0 and (best or beats >= SURE):
        words = "The ranking holds"
    elif gap.high < 0:
        words = "The ranking is worse than chance"
    else:
        words = "The ranking is not shown to be better than chance"
    which = f"all {orders} orders" if removed.every else f"{orders} random orders"
    words += (
        f": while units are removed in its order, {own:.2f} of the pictures stay right on average, in {which} {chance:.2f} "
        f"(gap {gap.value:+.2f}, 95 % interval {gap.low:+.2f} to {gap.high:+.2f}); "
        + ("no other order does better." if best else f"it beats {beats:.0%} of these orders.")
    )
    if len(found.curves) > 2:
        words += f" In the order of activation it is {found.curves[1].area.value:.2f}."
    if seen < pictures:
        words += f" The budget let {seen} of {pictures} pictures be looked at."
    return (
        words
        if found.stability is None
        else f"{words} The rankings of two halves of the data correlate by {found.stability:.2f}."
    )
