"""What methods have in common that hide parts of an image and watch the score."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.cost import Cost
from seewhy.core.game import Game, Shares
from seewhy.core.method import Anatomy, Attribution, Method
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.values import Array, as_value
from seewhy.errors import ConfigError, MethodError, ShapeError
from seewhy.ops.segments import grid_segments, painted, relabelled, slic_segments

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
    access: ClassVar[Literal["answers", "layers", "gradients"]] = "answers"
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
    """A method that hides whole segments, and gives each segment a value.

    A segment's value is spread evenly over its pixels, so that the map adds up to the values.

    Args:
        segments: "slic" (by colour and place), "grid" (equal boxes), or a map of integers of the size of the network's input.
        count: about how many segments, where they are made.
    """

    segments: str | Array = "slic"
    count: int = 50

    signed: ClassVar = True
    map_unit: ClassVar = "{unit} per pixel"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "segments", as_value(self.segments))
        if isinstance(self.segments, str) and self.segments not in ("slic", "grid"):
            raise ConfigError(f"{self.key}: segments are 'slic', 'grid' or a map of integers, got {self.segments!r}")
        if isinstance(self.segments, Array):
            relabelled(self.segments.tensor())
        if self.count < 2:
            raise ConfigError(f"{self.key} wants a count of at least 2 segments, got {self.count}")

    @abstractmethod
    def shares(self, game: Game) -> Shares:
        """Return what each segment of one image is worth."""

    @abstractmethod
    def coalitions_asked(self, segments: Int[Tensor, "*spatial"]) -> int:
        """Return how many coalitions of these segments are scored, without a budget; the image itself does not count."""

    def segment_map(self, image: Float[Tensor, "c *spatial"]) -> Int[Tensor, "*spatial"]:
        """Return the segments of one image, numbered from 0.

        Raises:
            ShapeError: a given map does not fit the image.
            MethodError: there is only one segment, and nothing to compare it with.
        """
        found = self._given_map(tuple(image.shape[1:]))
        found = slic_segments(image, self.count) if found is None else found
        if found.max() == 0:
            raise MethodError(
                "the image is a single segment, and there is nothing to compare it with; give more segments, or a map of at least two"
            )
        return found

    def _given_map(self, size: tuple[int, ...]) -> Int[Tensor, "*spatial"] | None:
        """Return the segments where they do not depend on the image."""
        if self.segments == "grid":
            return grid_segments(size, self.count)
        if not isinstance(self.segments, Array):
            return None
        if self.segments.shape != size:
            raise ShapeError(
                f"the segment map must have the size of the network's input, {size}; got {self.segments.shape}"
            )
        return relabelled(self.segments.tensor())

    def cost(self) -> Cost | None:
        """Return the image and the coalitions of a given map; None where the number of segments depends on the image."""
        return self._cost(self.segments.shape) if isinstance(self.segments, Array) else None

    def cost_on(self, anatomy: Anatomy) -> Cost | None:
        """Return the image and the coalitions; None where the number of segments depends on the image, or a budget may end it."""
        return self._cost(anatomy.input_shape[1:])

    def _cost(self, size: tuple[int, ...]) -> Cost | None:
        segments = self._given_map(size)
        return None if segments is None or self.budget is not None else Cost(1 + self.coalitions_asked(segments))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap, image by image, as each has segments of its own."""
        return _joined([self._drawn(one) for one in probe.one_by_one()])

    def _drawn(self, probe: Probe) -> Attribution:
        """Return the heatmap of one image."""
        segments = self.segment_map(probe.inputs[0])
        found = self.shares(Game(probe, segments, self.hidden(probe)))
        like = probe.inputs
        heatmap = painted(found.values, segments)[None].to(like.dtype)
        error = None if found.error is None else painted(found.error, segments)[None].to(like)
        figures = {name: torch.tensor([value], dtype=torch.float64) for name, value in found.figures.items()}
        residual = None
        if found.explained is not None:
            residual = (found.explained - heatmap.double().sum().view(1)).to(like)
        return Attribution(heatmap.to(like), residual, found.notes, error, figures)


def stopped(done: int, planned: int, what: str) -> tuple[str, ...]:
    """Return the sentence that says how far a method came that its budget stopped; none where it came to the end."""
    return (f"stopped by the budget after {done} of {planned} {what}",) if done < planned else ()


def _joined(parts: Sequence[Attribution]) -> Attribution:
    """Return what was said about images one by one as one block."""
    residuals = [part.residual for part in parts if part.residual is not None]
    errors = [part.error for part in parts if part.error is not None]
    return Attribution(
        torch.cat([part.heatmap for part in parts]),
        torch.cat(residuals) if residuals else None,
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        torch.cat(errors) if errors else None,
        {name: torch.cat([part.figures[name] for part in parts]) for name in parts[0].figures},
    )
