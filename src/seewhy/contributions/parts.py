"""Parts of the network's input as units: something else is shown where they were."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.contributions.donors import Donors, donors, lent
from seewhy.contributions.units import Gone, Units
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.session import Session
from seewhy.errors import ConfigError

U = TypeVar("U", bound="Filled")

RESAMPLE = "resample"
FILLS = {
    "mean": "the picture's own mean colour",
    "blur": "the picture itself, blurred (a tenth of the shorter side)",
    RESAMPLE: "the same place of another picture of the data",
    "noise": "noise",
    "black": "black",
    "white": "white",
    "zero": "zero, in the network's units",
}
"""What can be shown where a part was, and how that is said."""


@dataclass(frozen=True, eq=False)
class Filled(Units):
    """Parts of the input. Subclasses say what is left of the images when some of them are filled with something else.

    Args:
        fill: what is shown where a part was: "mean", "blur", "resample" (another picture of the data), or, if you really want to leave what
            pictures look like, "noise", "black", "white" or "zero".
        repeats: with "resample": how many other pictures take turns.
        lenders: the pictures to take from; found by `learned`.
        shown: what each picture of the batch is filled with, where another picture lends it.
    """

    fill: str = "blur"
    repeats: int = 1
    lenders: Donors | None = field(default=None, repr=False)
    shown: Float[Tensor, "b c *spatial"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.fill not in FILLS:
            raise ConfigError(f"what stands where a part was is one of {', '.join(FILLS)}; got {self.fill!r}")
        if self.repeats < 1:
            raise ConfigError(f"the effects are measured at least once, got repeats={self.repeats}")

    @abstractmethod
    def without(
        self, images: Float[Tensor, "b c *spatial"], fill: Float[Tensor, "b c *spatial"]
    ) -> Callable[[Bool[Tensor, " m"]], Float[Tensor, "b c *spatial"]]:
        """Return what makes, of a choice of units, the images with these units filled."""

    @property
    def replacement(self) -> str:
        """What is shown there."""
        return FILLS[self.fill]

    def learned(self: U, session: Session, data: Dataset, seed: int) -> U:
        """Find the pictures to take from, where others lend."""
        return replace(self, lenders=donors(session, data, seed)) if self.fill == RESAMPLE else self

    def of_batch(self: U, batch: Batch, repeat: int) -> U:
        """Take what the pictures of the batch are lent."""
        return self if self.lenders is None else replace(self, shown=lent(self.lenders, batch, repeat))

    def answers(self, probe: Probe, gone: Gone) -> Iterator[Float[Tensor, "b k"]]:
        """Yield the answers to the images with some parts filled."""
        images = probe.inputs
        without = self.without(images, probe.stand_in(self.fill) if self.shown is None else self.shown.to(images))
        return (trace.output for trace in probe.traces(map(without, gone), Needs()))


class Parts(Filled):
    """Places of the picture, whatever stands there. Subclasses say where each of them lies."""

    @abstractmethod
    def cover(self, size: tuple[int, ...]) -> Bool[Tensor, "#b m *spatial"]:
        """Return where in an input of this size each part lies; parts may overlap."""

    def without(
        self, images: Float[Tensor, "b c *spatial"], fill: Float[Tensor, "b c *spatial"]
    ) -> Callable[[Bool[Tensor, " m"]], Float[Tensor, "b c *spatial"]]:
        """Return what shows the fill at the places of the units."""
        cover = self.cover(tuple(images.shape[2:])).to(images.device)
        return lambda which: torch.where(cover[:, which].any(dim=1)[:, None], fill, images)

    def areas(self, probe: Probe) -> Float[Tensor, "b m"]:
        """Return the share of the picture that each part covers."""
        cover = self.cover(tuple(probe.inputs.shape[2:]))
        return cover.flatten(2).double().mean(dim=2).expand(len(probe.inputs), -1)
