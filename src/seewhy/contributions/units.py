"""A kind of unit of which some can be taken away: everything else about importance is arithmetic on what the network answers then."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.session import Session

U = TypeVar("U", bound="Units")

Gone = Iterable[Bool[Tensor, " m"]]
"""Which of the m units are taken away, time after time."""


class Units(ABC):
    """The units of one kind: regions of the input, channels of a layer, heads, layers. Subclasses are frozen dataclasses.

    What is asked of them, in this order: `learned` once for the data; then for each batch `of_batch`, `needs`, `answers` and `sizes`. What
    depends on the data, such as a mean or another picture, is settled by the first two; so `answers` says the same of a picture whichever
    pictures are beside it.

    Attributes:
        kind: "regions", "channels", ...
        repeats: how often the effects are measured, each time with another draw of what stands in the place of a unit; their mean counts.
    """

    kind: ClassVar[str]
    repeats: int = 1

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What the units are called, in their order."""

    @property
    @abstractmethod
    def replacement(self) -> str:
        """What stands where a unit was, in words."""

    @property
    def layer(self) -> str:
        """Where the units are; empty for those of the input."""
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about units of this kind."""
        return ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know about each unit: "always zero"; empty, or one for each unit."""
        return ()

    def learned(self: U, session: Session, data: Dataset, seed: int) -> U:
        """Return the same units, having looked at the data: at the mean of a channel, at pictures to take from.

        Raises:
            ConfigError: the data does not fit these units.
        """
        return self

    def of_batch(self: U, batch: Batch, repeat: int) -> U:
        """Return the same units, for the pictures of a batch: their masks, the pictures that lend them something."""
        return self

    def needs(self) -> Needs:
        """Return what the units want of the pass over the images themselves."""
        return Needs()

    @abstractmethod
    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the network's answers to the probe's images with some units taken away, time after time; `gone` is taken ahead, a pack at a time."""

    def sizes(self, probe: Probe) -> Float[Tensor, "b m"] | None:
        """Return how active each unit is, for the control that ranks by activation; None where the units have no activation."""
        return None

    def areas(self, probe: Probe) -> Float[Tensor, "b m"] | None:
        """Return the share of the picture that each unit covers; None where units cover nothing of it."""
        return None

    def pixels(self, size: tuple[int, ...]) -> Int[Tensor, "*spatial"] | None:
        """Return which unit each pixel of an input of this size belongs to, -1 for none; None where that depends on the picture, or units overlap."""
        return None


def one_at_a_time(count: int) -> Iterator[Bool[Tensor, " m"]]:
    """Yield each unit alone, in its order."""
    yield from torch.eye(count, dtype=torch.bool)


def first_of(order: Int[Tensor, " m"], counts: Iterable[int]) -> Iterator[Bool[Tensor, " m"]]:
    """Yield the first units of an order, so many each time."""
    rank = order.argsort()
    return (rank < count for count in counts)
