"""Boxes and superpixels: places of the picture, whatever stands there."""

from dataclasses import dataclass
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
    """Boxes of equal size that cover the picture, counted row by row.

    Over many pictures they say something only where all pictures show the same kind of thing in the same place.

    Args:
        fill, repeats: as for every part of the input.
        rows, columns: of the grid.
        several: whether they are those of several pictures.
    """

    rows: int = 7
    columns: int = 7
    several: bool = False

    kind: ClassVar = "regions"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows < 1 or self.columns < 1 or self.rows * self.columns < 2:
            raise ConfigError(f"a grid has at least two boxes, got {self.rows} x {self.columns}")

    @property
    def names(self) -> tuple[str, ...]:
        """Row and column, from 1."""
        return tuple(
            f"row {row + 1}, column {column + 1}" for row in range(self.rows) for column in range(self.columns)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Say when regions of several pictures mean something."""
        return (REGISTERED,) if self.several else ()

    def pixels(self, size: tuple[int, ...]) -> Int[Tensor, "h w"]:
        """Return the number of the box of each pixel.

        Raises:
            ShapeError: more boxes than pixels, or a picture that does not have two axes.
        """
        if len(size) != 2 or self.rows > size[0] or self.columns > size[1]:
            raise ShapeError(
                f"a grid of {self.rows} x {self.columns} boxes does not fit an input of {' x '.join(map(str, size))}; take fewer"
            )
        row = torch.arange(size[0]) * self.rows // size[0]
        column = torch.arange(size[1]) * self.columns // size[1]
        return row[:, None] * self.columns + column

    def cover(self, size: tuple[int, ...]) -> Bool[Tensor, "1 m h w"]:
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
        height, width = self.segments.shape
        middles = (centroids(self.segments.tensor().long()) + 0.5) / torch.tensor([height, width])
        return tuple(f"superpixel {number + 1}, {where(middle)}" for number, middle in enumerate(middles))

    def pixels(self, size: tuple[int, ...]) -> Int[Tensor, "h w"]:
        """Return the number of the segment of each pixel; raise `ShapeError` where the map does not fit."""
        if self.segments.shape != size:
            raise ShapeError(f"the map of segments is {self.segments.shape}, the network's input is {size}")
        return self.segments.tensor().long()

    def cover(self, size: tuple[int, ...]) -> Bool[Tensor, "1 m h w"]:
        """Return the segments."""
        return members(self.pixels(size))[None]


def superpixels(image: Float[Tensor, "c h w"], count: int = 40, fill: str = "blur") -> Superpixels:
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


def where(middle: Float[Tensor, " 2"]) -> str:
    """Say in which ninth of the picture a place is, given as shares of its height and width."""
    row, column = (min(2, int(3 * share)) for share in middle)
    words = f"{('upper', 'centre', 'lower')[row]} {('left', 'centre', 'right')[column]}"
    return "centre" if words == "centre centre" else words
