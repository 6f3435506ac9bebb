"""What methods have in common that hide parts of an image and watch the score."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.method import Method
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.values import Array, as_value
from seewhy.errors import ConfigError, ShapeError
from seewhy.ops.segments import grid_segments, relabelled

V = TypeVar("V")


@dataclass(frozen=True)
class PerturbationMethod(Method):
    """A method that needs nothing but answers to changed images, so that a black box will do.

    Args:
        fill: what is shown where something is hidden: "black", "white", "zero", "mean", "blur", "noise", or an image (c, *spatial) as
            the network takes it.
        budget: the most that may be spent: forwards (500) or a time ("30s"); what is drawn then is the best map so far. None is no limit.
    """

    fill: str | Array = "blur"
    budget: Budget = None

    family: ClassVar = "perturbation"
    access: ClassVar = "answers"
    resolution: ClassVar = "input"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fill", as_value(self.fill))
        Allowance.of(self.budget)

    def needs(self) -> Needs:
        """Return nothing beyond the score of the image."""
        return Needs()

    def hidden(self, probe: Probe) -> Float[Tensor, "b c *spatial"]:
        """Return what is shown where something is hidden."""
        return probe.stand_in(self.fill)

    def affordable(self, variants: Iterable[V], least: int = 1) -> Iterator[V]:
        """Hand on variants until the budget is spent, `least` of them whatever the clock says."""
        return Allowance.of(self.budget).spend(variants, least)


@dataclass(frozen=True)
class SegmentMethod(PerturbationMethod):
    """A method that hides whole segments.

    Args:
        segments: "slic" (by colour and place), "grid" (equal boxes), or a map of integers of the size of the network's input.
        count: about how many segments, where they are made.
    """

    segments: str | Array = "slic"
    count: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "segments", as_value(self.segments))
        if isinstance(self.segments, str) and self.segments not in ("slic", "grid"):
            raise ConfigError(f"{self.key}: segments are 'slic', 'grid' or a map of integers, got {self.segments!r}")
        if isinstance(self.segments, Array):
            relabelled(self.segments.tensor())
        if self.count < 2:
            raise ConfigError(f"{self.key} wants a count of at least 2 segments, got {self.count}")

    def segment_map(self, image: Float[Tensor, "c *spatial"]) -> Int[Tensor, "*spatial"]:
        """Return the segments of one image, numbered from 0; raise `ShapeError` where a given map does not fit."""
        size = tuple(image.shape[1:])
        if self.segments == "grid":
            return grid_segments(size, self.count)
        if isinstance(self.segments, Array):
            if self.segments.shape != size:
                raise ShapeError(
                    f"the segment map must have the size of the network's input, {size}; got {self.segments.shape}"
                )
            return relabelled(self.segments.tensor())
        return grid_segments(size, self.count)  # to be SLIC
