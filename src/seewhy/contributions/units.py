"""A kind of unit of which some can be taken away: everything else about importance is arithmetic on what the network answers then."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.probe import Probe

Gone = Iterable[Bool[Tensor, " m"]]
"""Which of the m units are taken away, time after time."""


class Units(ABC):
    """The units of one kind: regions of the input, channels of a layer, heads, layers. Subclasses are frozen dataclasses.

    Attributes:
        kind: "regions", "channels", ...
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What the units are called, in their order."""

    @property
    @abstractmethod
    def replacement(self) -> str:
        """What stands where a unit was, in words."""

    def needs(self) -> Needs:
        """Return what the units want of the pass over the images themselves."""
        return Needs()

    @abstractmethod
    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the network's answers to the probe's images with some units taken away, time after time."""

    def sizes(self, probe: Probe) -> Float[Tensor, "b m"] | None:
        """Return how active each unit is, for the control that ranks by activation; None where the units have no activation."""
        return None


def one_at_a_time(count: int) -> Iterator[Bool[Tensor, " m"]]:
    """Yield each unit alone, in its order."""
    yield from torch.eye(count, dtype=torch.bool)


@dataclass(frozen=True)
class Regions(Units):
    """Boxes of equal size that cover the input, counted row by row.

    Args:
        rows, columns: of the grid.
        fill: what stands where a box was: "mean", "blur", "noise", "black", "white" or "zero".
    """

    rows: int = 7
    columns: int = 7
    fill: str = "blur"

    kind: ClassVar = "regions"

    @property
    def names(self) -> tuple[str, ...]:
        """Row and column, from 1."""
        return tuple(
            f"row {row + 1}, column {column + 1}" for row in range(self.rows) for column in range(self.columns)
        )

    @property
    def replacement(self) -> str:
        """The fill."""
        return self.fill

    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the answers to the images with some boxes filled."""
        images, fill = probe.inputs, probe.stand_in(self.fill)
        height, width = images.shape[2:]
        row = torch.arange(height) * self.rows // height
        column = torch.arange(width) * self.columns // width
        box = (row[:, None] * self.columns + column[None]).to(images.device)
        variants = (torch.where(which.to(images.device)[box], fill, images) for which in gone)
        return (trace.output for trace in probe.traces(variants, Needs()))
