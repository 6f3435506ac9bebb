"""What a user says of the source pictures (a mask, a rectangle, a point), put on the network's input."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.errors import TargetError
from seewhy.ops.coverage import covered, onto

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Placed:
    """What was said of each of some images, on the network's input.

    Attributes:
        axes: spatial axes of the input: 2 for pictures, 3 for clips and volumes.
        areas: the share of each cell of the input that an area covers (*spatial), of each image; None where none was given.
        points: a point, in shares of the input's axes, from 0 to 1, of each image; None where none was given.
    """

    axes: int
    areas: tuple[Float[Tensor, "*spatial"], ...] | None = None
    points: tuple[tuple[float, ...], ...] | None = None

    def part(self, rows: slice) -> "Placed":
        """Return what was said of some of the images."""
        return replace(
            self,
            areas=None if self.areas is None else self.areas[rows],
            points=None if self.points is None else self.points[rows],
        )

    def on(self, size: Sequence[int], like: Tensor) -> Float[Tensor, "b *cells"] | None:
        """Return the areas on a grid of another size, in the type and on the device of a tensor."""
        if self.areas is None:
            return None
        return torch.stack([onto(area, size) for area in self.areas]).to(like)


def placed_masks(given: Any, samples: Sequence[Sample]) -> tuple[Float[Tensor, "*spatial"], ...]:
    """Return masks of source pictures on the network's input: what share of each of its cells they cover.

    Args:
        given: an array or tensor of the source's size, zero outside of the area; or a list with one for each image. For a ready input,
            a clip or a volume: of the input's size.
        samples: the images.

    Raises:
        TargetError: a mask of another size, of no picture, or not as many masks as images.
    """
    masks = list(given) if isinstance(given, (list, tuple)) else [given] * len(samples)
    if len(masks) != len(samples):
        raise TargetError(
            f"{len(masks)} masks for {len(samples)} images; give one mask, or a list with one for each image"
        )
    return tuple(_mask_on_input(mask, sample) for mask, sample in zip(masks, samples, strict=True))


def placed_rectangles(given: Rectangle, samples: Sequence[Sample]) -> tuple[Float[Tensor, "h w"], ...]:
    """Return a rectangle (x, y, width, height) in source pixels on the network's input, for each image.

    Raises:
        TargetError: it lies outside of what the network sees, or the input is no picture.
    """
    return tuple(_rectangle_on_input(given, sample) for sample in samples)


def placed_points(given: Sequence[float], samples: Sequence[Sample]) -> tuple[tuple[float, ...], ...]:
    """Return a point (x, y) in source pixels, for each image as shares of the input's axes (row, column).

    Raises:
        TargetError: the point lies outside of what the network sees, or the input is no picture.
    """
    if len(given) != 2:
        raise TargetError(f"a point is x and y in pixels of the source picture, got {len(given)} numbers")
    made = []
    for sample in samples:
        (top, left, bottom, right), _ = _window(sample)
        point = ((given[1] - top) / (bottom - top), (given[0] - left) / (right - left))
        if not all(0 <= share < 1 for share in point):
            raise TargetError(
                f"the point {given[0]:g},{given[1]:g} lies outside of what the network sees of {sample.name or 'the picture'}: "
                f"x {left:.0f} to {right:.0f}, y {top:.0f} to {bottom:.0f}"
            )
        made.append(point)
    return tuple(made)


def _window(sample: Sample) -> tuple[Rectangle, tuple[int, int]]:
    """Return which window (top, left, bottom, right) of the source the input shows, and the source's size (h, w)."""
    size = (int(sample.inputs.shape[-2]), int(sample.inputs.shape[-1]))
    if sample.inputs.dim() != 3:
        raise TargetError(
            f"a place in pixels is that of a picture, and {sample.name or 'the input'} has {sample.inputs.dim() - 1} axes; give a mask of its size"
        )
    if sample.geometry is None:
        return (0.0, 0.0, float(size[0]), float(size[1])), size
    return sample.geometry.window, sample.geometry.source


def _rectangle_on_input(given: Rectangle, sample: Sample) -> Float[Tensor, "h w"]:
    x, y, width, height = given
    (top, left, bottom, right), _ = _window(sample)
    rows = covered(int(sample.inputs.shape[-2]), top, bottom, y, y + height)
    columns = covered(int(sample.inputs.shape[-1]), left, right, x, x + width)
    area = rows[:, None] * columns[None, :]
    if not area.any():
        raise TargetError(
            f"the rectangle {x:g},{y:g},{width:g},{height:g} lies outside of what the network sees of {sample.name or 'the picture'}: "
            f"x {left:.0f} to {right:.0f}, y {top:.0f} to {bottom:.0f}"
        )
    return area


def _mask_on_input(given: Any, sample: Sample) -> Float[Tensor, "*spatial"]:
    values = given.detach().cpu() if isinstance(given, Tensor) else torch.from_numpy(np.array(given))
    mask = (values != 0).float()
    if not mask.any():
        raise TargetError("the mask is empty: it marks nothing")
    spatial = tuple(sample.inputs.shape[1:])
    if sample.inputs.dim() != 3:
        return _of_size(mask, spatial, "the input")
    (top, left, bottom, right), source = _window(sample)
    mask = _of_size(mask, source, sample.name or ("the picture" if sample.geometry is not None else "the input"))
    area = onto(mask, spatial, ((top, bottom), (left, right)))
    if not area.any():
        raise TargetError(f"the mask lies outside of what the network sees of {sample.name or 'the picture'}")
    return area


def _of_size(mask: Tensor, size: tuple[int, ...], what: str) -> Tensor:
    if tuple(mask.shape) != size:
        got, wanted = (" x ".join(map(str, shape)) for shape in (mask.shape, size))
        raise TargetError(
            f"the mask is {got}, and {what} is {wanted} (rows x columns); a mask has the size of the source picture, before it is prepared"
        )
    return mask
