"""Boxes and superpixels: places of the picture, whatever stands there."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.contributions.parts import Parts
from seewhy.core.values import Array
from seewhy.errors import ConfigError, ShapeError
from seewhy.ops.segments import centroids, members, slic_segments

REGISTERED = (
    "regions over several pictures mean something only where all pictures are registered, with the same thing in the same place, as in scans or "
    "passport photos; for other photos ask about foreground"
)


@dataclass(frozen=True, eq=False)
class Regions(Parts):
    """Boxes of equal size that cover the picture, or the clip or volume, counted row by row.

    Over many pictures they say something only where all pictures show the same kind of thing in the same place.

    Args:
        fill, repeats: as for every part of the input.
        rows, columns: of the grid.
        several: whether they are those of several pictures.
        spans: of a clip or volume: how many parts its frames, or slices, are cut into; 0 for pictures.
        deep: what these are called, and how many there are.
    """

    rows: int = 7
    columns: int = 7
    several: bool = False
    spans: int = 0
    deep: tuple[str, int] = ("frames", 0)

    kind: ClassVar = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows < 1 or self.columns < 1 or self.rows * self.columns < 2:
            raise ConfigError(f"a grid has at least two boxes, got {self.rows} x {self.columns}")

    @property
    def names(self) -> tuple[str, ...]:
        """Row and column, from 1, and before them the first and last frame, from 1."""
        boxes = [f"row {row + 1}, column {column + 1}" for row in range(self.rows) for column in range(self.columns)]
        if not self.spans:
            return tuple(boxes)
        noun, length = self.deep
        edges = [-(-part * length // self.spans) for part in range(self.spans + 1)]
        return tuple(f"{noun} {first + 1} to {last}, {box}" for first, last in pairwise(edges) for box in boxes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say when regions of several pictures mean something."""
        return (REGISTERED,) if self.several else ()

    def pixels(self, size: tuple[int, ...]) -> Int[Tensor, "*spatial"]:
        """Return the number of the box of each pixel.

        Raises:
            ShapeError: more boxes than pixels, or an input with other axes.
        """
        parts = (*([self.spans] if self.spans else []), self.rows, self.columns)
        if len(size) != len(parts) or any(part > length for part, length in zip(parts, size, strict=True)):
            raise ShapeError(
                f"a grid of {' x '.join(map(str, parts))} boxes does not fit an input of {' x '.join(map(str, size))}; take fewer"
            )
        number = torch.zeros(size, dtype=torch.long)
        for axis, (part, length) in enumerate(zip(parts, size, strict=True)):
            place = torch.arange(length) * part // length
            number = number * part + place.view(*[-1 if one == axis else 1 for one in range(len(size))])
        return number

    def cover(self, size: tuple[int, ...]) -> Bool[Tensor, "1 m *spatial"]:
        """Return the boxes."""
        return members(self.pixels(size))[None]


@dataclass(frozen=True, eq=False)
class Superpixels(Parts):
    """Segments of one photo, which cover it.

    Args:
        fill, repeats: as for every part of the input.
        segments: for each pixel of the network's input, the number of its segment, from 0.
    """

    segments: Array = Array.of([[0, 1]])  # noqa: RUF009 (a frozen value)

    kind: ClassVar = "superpixels"

    @property
    def names(self) -> tuple[str, ...]:
        """A number from 1, in reading order, and where in the picture the middle of the segment is."""
        middles = (centroids(self.segments.tensor().long()) + 0.5) / torch.tensor(self.segments.shape)
        return tuple(f"superpixel {number + 1}, {where(middle)}" for number, middle in enumerate(middles))

    def pixels(self, size: tuple[int, ...]) -> Int[Tensor, "*spatial"]:
        """Return the number of the segment of each pixel; raise `ShapeError` where the map does not fit."""
        if self.segments.shape != size:
            raise ShapeError(f"the map of segments is {self.segments.shape}, the network's input is {size}")
        return self.segments.tensor().long()

    def cover(self, size: tuple[int, ...]) -> Bool[Tensor, "1 m *spatial"]:
        """Return the segments."""
        return members(self.pixels(size))[None]


def superpixels(image: Float[Tensor, "c *spatial"], count: int = 40, fill: str = "blur") -> Superpixels:
    """Cut one picture into about so many segments of even colour (SLIC).

    Raises:
        ConfigError: fewer than two were asked for, or found.
    """
    if count < 2:
        raise ConfigError(f"a photo is cut into at least two superpixels, got {count}")
    segments = slic_segments(image, count)
    if not segments.max():
        raise ConfigError(
            "the photo is of one colour, and is a single superpixel; take regions, which do not look at it"
        )
    return Superpixels(fill=fill, segments=Array.of(segments))


def where(middle: Float[Tensor, " axes"]) -> str:
    """Say in which ninth of the picture a place is, given as shares of its height and width; and before them of a clip's time."""
    *third, row, column = (min(2, int(3 * share)) for share in middle)
    words = f"{('upper', 'centre', 'lower')[row]} {('left', 'centre', 'right')[column]}"
    words = "centre" if words == "centre centre" else words
    return words if not third else f"{('first', 'middle', 'last')[third[0]]} third, {words}"
