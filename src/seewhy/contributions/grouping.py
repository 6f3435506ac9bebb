"""Units that move together, taken away together: alone, each looks as if it did not matter, for the others stand in for it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.contributions.effects import Effects
from seewhy.contributions.units import Gone, Units
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.session import Session
from seewhy.errors import ConfigError

U = TypeVar("U", bound="Grouped")

NAMED = 3
"""Units of a group that its name lists."""


@dataclass(frozen=True, eq=False)
class Grouped(Units):
    """Groups of units, each taken away as a whole.

    Args:
        units: the units themselves.
        group: the number of the group of each unit, from 0.
    """

    units: Units
    group: tuple[int, ...]

    @property
    def kind(self) -> str:  # type: ignore[override]
        """That of the units."""
        return self.units.kind

    @property
    def repeats(self) -> int:  # type: ignore[override]
        """As of the units."""
        return self.units.repeats

    @property
    def names(self) -> tuple[str, ...]:
        """The first names of each group."""
        return tuple(
            " + ".join(names[:NAMED]) + (f" + {len(names) - NAMED} more" if len(names) > NAMED else "")
            for names in self._members(self.units.names)
        )

    @property
    def replacement(self) -> str:
        """As of the units."""
        return self.units.replacement

    @property
    def layer(self) -> str:
        """As of the units."""
        return self.units.layer

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said of the units, and that they are grouped."""
        joined = sum(len(members) > 1 for members in self._members(self.units.names))
        return (
            *self.units.notes,
            f"{len(self.group)} units were put into {len(self.names)} groups, {joined} of them of several that move together",
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is said of a unit that is alone in its group."""
        known = self.units.remarks
        return tuple(one[0] if len(one) == 1 else f"{len(one)} units" for one in self._members(known)) if known else ()

    def _members(self, values: tuple[str, ...]) -> list[list[str]]:
        groups: list[list[str]] = [[] for _ in range(max(self.group) + 1)]
        for value, group in zip(values, self.group, strict=True):
            groups[group].append(value)
        return groups

    def learned(self: U, session: Session, data: Dataset, seed: int) -> U:
        """Let the units look at the data."""
        return replace(self, units=self.units.learned(session, data, seed))

    def of_batch(self: U, batch: Batch, repeat: int) -> U:
        """Let the units look at the batch."""
        return replace(self, units=self.units.of_batch(batch, repeat))

    def needs(self) -> Needs:
        """As of the units."""
        return self.units.needs()

    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Take all units of a group away."""
        group = torch.tensor(self.group)
        return self.units.answers(probe, (which[group] for which in gone))

    def sizes(self, probe: Probe) -> Float[Tensor, "b m"] | None:
        """Add the sizes of the units of each group."""
        return self._sums(self.units.sizes(probe))

    def areas(self, probe: Probe) -> Float[Tensor, "b m"] | None:
        """Add the areas of the units of each group; where units overlap that is an upper bound."""
        return self._sums(self.units.areas(probe))

    def pixels(self, size: tuple[int, ...]) -> Int[Tensor, "*spatial"] | None:
        """Return the group of each pixel."""
        found = self.units.pixels(size)
        return None if found is None else torch.where(found < 0, -1, torch.tensor(self.group)[found])

    def _sums(self, values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        group = torch.tensor(self.group, device=values.device)
        return values.new_zeros(len(values), max(self.group) + 1).index_add_(1, group, values)


def grouped(units: Units, found: Effects, least: float) -> Units:
    """Return groups of units of which any two correlate by more than `least` over the pictures: in activation, or, where they have none, in effect.

    Args:
        units: the units.
        found: what each does in each picture.
        least: the correlation, between 0 and 1; .9 is usual.
    """
    if not 0 < least < 1:
        raise ConfigError(f"units are grouped by a correlation between 0 and 1, such as 0.9; got {least}")
    values = found.score if found.sizes is None else found.sizes
    if len(values) < 3:
        raise ConfigError(f"{len(values)} pictures do not tell which units move together; give at least 3")
    return Grouped(units, tuple(groups(values, least)))


def groups(values: Float[Tensor, "n m"], least: float) -> list[int]:
    """Return the group of each column, numbered in their order: complete linkage, so that any two of a group correlate by more than `least`."""
    from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]
    from scipy.spatial.distance import squareform  # type: ignore[import-untyped]

    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.nan_to_num(
            np.corrcoef(values.nan_to_num(0.0).numpy(), rowvar=False)
        )  # a constant goes with nobody
    distance = 1 - (correlation + correlation.T) / 2
    np.fill_diagonal(distance, 0)
    labels = fcluster(linkage(squareform(distance, checks=False), "complete"), 1 - least, "distance")
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(label), len(numbers)) for label in labels]
