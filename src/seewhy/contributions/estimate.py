"""From effects picture by picture to means with intervals: over all pictures, and over those of each class."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.contributions.effects import Effects
from seewhy.contributions.shapley import Values
from seewhy.contributions.table import Estimate, Weight
from seewhy.ops.bootstrap import interval, resampled_means

LEAST_OF_CLASS = 2
"""Pictures that a class must have for a row of its own."""
ABSENT = "in none of the pictures"
MOST_CLASSES = 50
"""Classes that get a row, those with most pictures."""


def estimates(values: Float[Tensor, "n m"], seed: int) -> list[Estimate]:
    """Return the mean of each column over the pictures that have it, with its 95 % interval."""
    means = resampled_means(values, Generator().manual_seed(seed))
    return _estimates(values.nanmean(dim=0), means, (~values.isnan()).sum(dim=0))


def ratios(above: Float[Tensor, "n m"], below: Float[Tensor, "n m"], seed: int) -> list[Estimate]:
    """Return the ratio of two means over the same pictures, column by column, with its 95 % interval."""
    first, second = (resampled_means(values, Generator().manual_seed(seed)) for values in (above, below))
    return _estimates(
        above.nanmean(dim=0) / below.nanmean(dim=0), first / second, (~(above + below).isnan()).sum(dim=0)
    )


def _estimates(
    values: Float[Tensor, " m"], means: Float[Tensor, "draws m"], cases: Int[Tensor, " m"]
) -> list[Estimate]:
    low, high = interval(means, cases)
    single = cases < 2  # nothing to resample: the interval is the value itself
    low, high = torch.where(single, values, low), torch.where(single, values, high)
    return [Estimate(*map(float, row)) for row in zip(values, low, high, strict=True)]


def weights(
    found: Effects, names: Sequence[str], classes: Sequence[str], remarks: Sequence[str], seed: int
) -> list[Weight]:
    """Return what each unit does, in the units' own order.

    Args:
        found: the effects.
        names: of the units.
        classes: names of the classes, by index.
        remarks: what a reader must know about each unit; empty for none.
        seed: of the resampling.
    """
    score, magnitude, loss = (estimates(values, seed) for values in (found.score, found.magnitude, found.loss))
    of_class = per_class(found, classes, seed)
    figures = _figures(found, seed)
    return [
        Weight(
            name,
            score[unit],
            magnitude[unit],
            loss[unit],
            {label: row[unit] for label, row in of_class.items()},
            note=ABSENT if found.score[:, unit].isnan().all() else remarks[unit] if remarks else "",
            figures={what: values[unit] for what, values in figures.items()},
        )
        for unit, name in enumerate(names)
    ]


def per_class(found: Effects, classes: Sequence[str], seed: int) -> dict[str, list[Estimate]]:
    """Return the fall of the score of each unit over the pictures of each class that has enough of them, most pictures first."""
    counts = torch.bincount(found.labels.clamp_min(0)) if (found.labels >= 0).all() else torch.zeros(0)
    chosen = [int(index) for index in counts.argsort(descending=True, stable=True)[:MOST_CLASSES]]
    return {
        class_name(index, classes): estimates(found.score[found.labels == index], seed)
        for index in chosen
        if counts[index] >= LEAST_OF_CLASS
    }


def class_name(index: int, classes: Sequence[str]) -> str:
    """Return the name of a class, with its number where two bear the same name, or none does."""
    if index >= len(classes):
        return f"class {index}"
    return classes[index] if list(classes).count(classes[index]) == 1 else f"{classes[index]} ({index})"


def _figures(found: Effects, seed: int) -> dict[str, list[Estimate]]:
    """Return accuracy without each unit; for units that cover some of the picture, also area, share and lift."""
    figures = {} if found.kept.isnan().all() else {"accuracy": estimates(found.kept, seed)}
    if found.areas is not None:
        missing = found.score.isnan()
        everything = found.all_gone[:, None].expand_as(missing).masked_fill(missing, torch.nan)
        area = found.areas.masked_fill(missing, torch.nan)
        figures["area"] = estimates(area, seed)
        if counts_together(found, seed):
            figures["share"] = ratios(found.score, everything, seed)
            figures["lift"] = ratios(found.score, everything * area.nanmean(dim=0), seed)
    return figures


def counts_together(found: Effects, seed: int) -> bool:
    """Say whether the score surely falls when all units are taken away; else no unit has a share in that fall."""
    return estimates(found.all_gone[:, None], seed)[0].low > 0


def ranking(found: Effects, rows: Tensor | None = None) -> Float[Tensor, " m"]:
    """Return by what units are ranked: the mean magnitude of the fall of the score, over all pictures or some.

    Args:
        found: the effects.
        rows: which pictures; all if None.
    """
    values = found.magnitude if rows is None else found.magnitude[rows]
    return values.nanmean(dim=0).nan_to_num(0.0)


def within_errors(listed: Sequence[Weight], values: Values) -> list[Weight]:
    """Return what each unit does in one picture, with the interval of an estimate from pairs of random orders: Student's, from its standard error."""
    from scipy.stats import t  # type: ignore[import-untyped]

    pairs = (values.orders or 0) // 2
    score, loss = values.error * float(t.ppf(0.975, pairs - 1)) if pairs > 1 else values.error
    return [
        replace(
            weight,
            score=_around(weight.score.value, float(far)),
            magnitude=replace(
                _around(weight.magnitude.value, float(far)), low=max(0.0, weight.magnitude.value - float(far))
            ),
            loss=_around(weight.loss.value, float(off)),
        )
        for weight, far, off in zip(listed, score, loss, strict=True)
    ]


def _around(value: float, far: float) -> Estimate:
    return Estimate(value, value - far, value + far)
