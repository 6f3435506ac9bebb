"""A user's attributes as what a readable model reads: the columns of a table, joined to the pictures by name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.contributions.attribute import FEW, LEAST, MISSING, MOST_LEVELS, OTHERS
from seewhy.data.features import Features
from seewhy.data.table import MOST_COLUMNS, Column, Table, join, read_table
from seewhy.errors import ConfigError, DataError
from seewhy.surrogates.basis import Basis

ATTRIBUTES = "attributes"


@dataclass(frozen=True)
class Quantity:
    """A column of numbers: in units of a deviation from the mean, and whether it is missing where it sometimes was.

    Attributes:
        name: of the column.
        mean, scale: of the pictures that were fitted on.
        missing: whether some of these had none; a missing number is read as the mean.
    """

    name: str
    mean: float
    scale: float
    missing: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The column, and that it is missing."""
        return (self.name, f"{self.name} is {MISSING}") if self.missing else (self.name,)

    def read(self, column: Column) -> Float[np.ndarray, "n f"]:
        """Return the numbers; raise `DataError` where a cell is none."""
        values = column.numbers
        if values is None:
            raise DataError(
                f"column {column.name!r} held numbers when the student was made, and now holds something else"
            )
        gone = np.isnan(values)
        value = np.where(gone, 0.0, (values - self.mean) / self.scale)
        return np.stack([value, gone.astype(float)], axis=1) if self.missing else value[:, None]


@dataclass(frozen=True)
class Levels:
    """A column of words: for each level whether a picture has it.

    Attributes:
        name: of the column.
        levels: in their order; "(missing)" for an empty cell, "(others)" for all levels that were rare, or are new.
    """

    name: str
    levels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column and the level."""
        return tuple(f"{self.name} is {level}" for level in self.levels)

    def read(self, column: Column) -> Float[np.ndarray, "n f"]:
        """Return 1 where a picture has a level; a new level, where there are no others, gives 0 everywhere."""
        place = {level: number for number, level in enumerate(self.levels)}
        found = [place.get(cell or MISSING, place.get(OTHERS, -1)) for cell in column.cells]
        has: np.ndarray = (np.array(found)[:, None] == np.arange(len(self.levels))).astype(float)
        return has


@dataclass(frozen=True, eq=False)
class AttributeColumns(Basis):
    """What a table says about each picture: numbers in deviations, words as levels, what is missing as a level of its own.

    The network plays no part in these numbers, only in what the student is told: a student that agrees with it says how far attributes alone would tell
    its answers.

    Args:
        at: name of the layer whose features come along; they are not read.
        columns: how each is read.
        key: the column that names the pictures.
        table: the rows; None after a file, which does not hold them: `with_table`.

    Limits: a column that repeats the class gives it away.
    """

    at: str
    columns: tuple[Quantity | Levels, ...]
    key: str
    table: Table | None = None

    kind: ClassVar = ATTRIBUTES
    noun: ClassVar = "attribute"
    control_noun: ClassVar = "the same attributes of other pictures"

    @classmethod
    def fit(
        cls, table: Table, features: Features, rows: Int[Tensor, " f"], key: str | None = None
    ) -> "AttributeColumns":
        """Return how each column is read, as the pictures to fit on have it; columns that say nothing about these are left out.

        Raises:
            DataError: a picture has no row, or no column says anything.
        """
        joined = join(table, features.data.names, key)
        columns = joined.of(rows.tolist(), rows.tolist()).columns
        made = [one for one in map(_reader, columns) if one is not None]
        if not made:
            raise DataError(
                f"{table.name}: no column differs between the pictures, or has levels of {LEAST} pictures each"
            )
        return cls(features.layer, tuple(made), joined.key, table)

    @property
    def names(self) -> tuple[str, ...]:
        """Of columns and levels."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def layer(self) -> str:
        """Whose features come along."""
        return self.at

    @property
    def told(self) -> str:
        """How many columns of a table, read as how many numbers."""
        return f"{len(self.columns)} attributes of a table as {len(self.names)} numbers"

    def with_table(self, table: str | Path) -> "AttributeColumns":
        """Return the same with the rows of other pictures."""
        return replace(self, table=read_table(table))

    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return what the table says about each picture.

        Raises:
            ConfigError: there is no table, or it lacks a column.
            DataError: a picture has no row, or several that differ.
        """
        if self.table is None:
            raise ConfigError(
                "the student reads attributes: give the table that holds those of these pictures (table=, --table)"
            )
        joined = join(self.table, features.data.names, self.key)
        without = [*joined.missing, *joined.ambiguous]
        if without:
            raise DataError(
                f"{self.table.name}: {len(without)} of {len(features)} pictures have no row, or several that differ, such as {without[0]}"
            )
        known = {column.name: column for column in joined.columns}
        lacking = [column.name for column in self.columns if column.name not in known]
        if lacking:
            raise ConfigError(f"{self.table.name} has no column {lacking[0]!r}, which the student reads")
        parts = [column.read(known[column.name]) for column in self.columns]
        return torch.from_numpy(np.concatenate(parts, axis=1)).float()

    def control(self, features: Features, seed: int) -> "OthersAttributes":
        """Return the same columns, each picture with those of another one."""
        return OthersAttributes(self, seed)

    def plain(self) -> dict[str, Any]:
        """Return how columns are read; not the table."""
        return {"layer": self.at, "key": self.key, "columns": [_plain(column) for column in self.columns]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "AttributeColumns":
        """Read back what `plain` gave."""
        columns = tuple(_column(one) for one in plain["columns"])
        if not 0 < len(columns) <= MOST_COLUMNS:
            raise ValueError(f"{len(columns)} columns of attributes")
        return cls(str(plain["layer"]), columns, str(plain["key"]))


@dataclass(frozen=True, eq=False)
class OthersAttributes(Basis):
    """The attributes of another picture for each: the same columns, which now say nothing about it.

    Args:
        own: the attributes.
        seed: of the order in which pictures are exchanged.
    """

    own: AttributeColumns
    seed: int

    kind: ClassVar = "others' attributes"
    noun: ClassVar = "attribute of another picture"

    @property
    def names(self) -> tuple[str, ...]:
        """Of columns and levels."""
        return self.own.names

    @property
    def layer(self) -> str:
        """Whose features come along."""
        return self.own.layer

    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return the rows in another order."""
        found = self.own.read(features)
        return found[torch.randperm(len(found), generator=torch.Generator().manual_seed(self.seed))]

    def plain(self) -> dict[str, Any]:
        """Return the attributes and the seed."""
        return {"own": self.own.plain(), "seed": self.seed}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "OthersAttributes":
        """Read back what `plain` gave."""
        return cls(AttributeColumns.from_plain(plain["own"]), int(plain["seed"]))


def known_rows(table: Table, names: Sequence[str], key: str | None = None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the numbers of those pictures that have a row of their own, and what a reader must know of the others."""
    joined = join(table, names, key)
    return joined.places, joined.notes


def _reader(column: Column) -> Quantity | Levels | None:
    """Return how a column is read; None where it says nothing about these pictures."""
    values = column.numbers
    if values is not None and len(set(values[~np.isnan(values)])) > FEW:
        gone = np.isnan(values)
        return Quantity(column.name, float(values[~gone].mean()), float(values[~gone].std()), bool(gone.any()))
    count = Counter(cell or MISSING for cell in column.cells)
    common = sorted(name for name, times in count.most_common(MOST_LEVELS) if times >= LEAST)
    levels = (*common, OTHERS) if len(common) < len(count) else tuple(common)
    return Levels(column.name, levels) if len(levels) > 1 else None


def _plain(column: Quantity | Levels) -> dict[str, Any]:
    if isinstance(column, Levels):
        return {"name": column.name, "levels": list(column.levels)}
    return {"name": column.name, "mean": column.mean, "scale": column.scale, "missing": column.missing}


def _column(plain: Mapping[str, Any]) -> Quantity | Levels:
    name = str(plain["name"])
    if "levels" in plain:
        levels = tuple(map(str, plain["levels"]))
        if not 1 < len(levels) <= MOST_LEVELS + 1 or len(set(levels)) < len(levels):
            raise ValueError(f"column {name!r} has {len(levels)} levels")
        return Levels(name, levels)
    mean, scale = float(plain["mean"]), float(plain["scale"])
    if not np.isfinite([mean, scale]).all() or scale <= 0:
        raise ValueError(f"column {name!r} has mean {mean} and deviation {scale}")
    return Quantity(name, mean, scale, bool(plain["missing"]))
