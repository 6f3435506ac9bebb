"""Columns of a table as attributes of pictures: numbers or levels, with what is missing as a level of its own."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from seewhy.data.table import Column

MISSING = "(missing)"
OTHERS = "(others)"
LEAST = 5
"""Pictures that a level takes; rarer levels are put together."""

MOST_LEVELS = 30
FEW = 8
"""Up to so many different numbers are levels: the number of a camera is no quantity."""

BINS = 4


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute of every picture.

    Attributes:
        name: of its column.
        levels: names of the levels; for a number those of its quarters.
        codes: which level each picture has (n,).
        numbers: the values, NaN where missing; None where the column holds no quantity.
        note: what was done to it.
    """

    name: str
    levels: tuple[str, ...]
    codes: Int[np.ndarray, " n"]
    numbers: Float[np.ndarray, " n"] | None = None
    note: str = ""

    def of(self, rows: Int[np.ndarray, " r"]) -> "Attribute":
        """Return the same for some of the pictures."""
        return replace(self, codes=self.codes[rows], numbers=None if self.numbers is None else self.numbers[rows])

    @property
    def features(self) -> Float[np.ndarray, "n f"]:
        """What a linear model sees: a number in units of its standard deviation and whether it is missing, or one column for each level."""
        if self.numbers is None:
            return self.indicators
        gone = np.isnan(self.numbers)
        spread = float(np.nanstd(self.numbers)) or 1.0
        value = np.where(gone, 0.0, (self.numbers - np.nanmean(self.numbers)) / spread)
        return np.stack([value, gone.astype(float)], axis=1) if gone.any() else value[:, None]

    @property
    def indicators(self) -> Float[np.ndarray, "n f"]:
        """One column for each level: 1 where a picture has it."""
        chosen: Float[np.ndarray, "n f"] = (self.codes[:, None] == np.arange(len(self.levels))).astype(float)
        return chosen


def attribute(column: Column) -> Attribute | str:
    """Return a column as an attribute, or why it says nothing about these pictures.

    A column whose cells are all numbers, with more than `FEW` different ones, is a quantity; every other holds levels. Levels of fewer than
    `LEAST` pictures, and those beyond the `MOST_LEVELS` commonest, are put together.
    """
    different = {cell for cell in column.cells if cell}
    if not different:
        return "it is empty for these pictures"
    if len(different) == 1 and "" not in column.cells:
        return f"it is {_short(next(iter(different)))!r} for every picture"
    numbers = column.numbers
    if numbers is not None and len(set(numbers[~np.isnan(numbers)])) > FEW:
        return _quantity(column, numbers)
    return _levels(column)


def _quantity(column: Column, numbers: Float[np.ndarray, " n"]) -> Attribute:
    known = numbers[~np.isnan(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)))
    codes = np.clip(np.searchsorted(edges, numbers, side="left") - 1, 0, len(edges) - 2)
    names = [_span(known[codes[~np.isnan(numbers)] == place]) for place in range(len(edges) - 1)]
    gone = np.isnan(numbers)
    codes = np.where(gone, len(names), codes)
    note = f"missing for {gone.sum()} pictures" if gone.any() else ""
    return _used(column.name, [*names, MISSING], codes, numbers, note)


def _levels(column: Column) -> Attribute | str:
    count = Counter(cell or MISSING for cell in column.cells)
    common = [name for name, times in count.most_common(MOST_LEVELS) if times >= LEAST]
    rare = [name for name in count if name not in common]
    if not common or (len(common) == 1 and sum(count[name] for name in rare) < LEAST):
        return f"no two of its {len(count)} levels have {LEAST} pictures each"
    names = [*sorted(common), *([OTHERS] if rare else [])]
    place = {name: names.index(name if name in common else OTHERS) for name in count}
    codes = np.array([place[cell or MISSING] for cell in column.cells])
    note = f"{len(rare)} rare levels are put together" if rare else ""
    return _used(column.name, [_short(name) for name in names], codes, None, note)


def _used(
    name: str, levels: list[str], codes: np.ndarray, numbers: Float[np.ndarray, " n"] | None, note: str
) -> Attribute:
    """Return an attribute without the levels that no picture has."""
    present, codes = np.unique(codes, return_inverse=True)
    return Attribute(_short(name) or "(unnamed)", tuple(levels[place] for place in present), codes, numbers, note)


def _span(values: Float[np.ndarray, " k"]) -> str:
    low, high = (f"{float(value):.4g}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
