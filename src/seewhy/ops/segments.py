"""Pictures cut into segments: maps of integers 0 to n - 1 of the size of the picture."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.errors import ShapeError


def grid_segments(size: tuple[int, ...], count: int) -> Int[Tensor, "*spatial"]:
    """Return about `count` equal boxes, nearly square, numbered row by row."""
    side = (math.prod(size) / count) ** (1 / len(size))
    parts = [max(1, min(length, round(length / side))) for length in size]
    index = torch.zeros(size, dtype=torch.long)
    for axis, (length, number) in enumerate(zip(size, parts, strict=True)):
        place = torch.arange(length) * number // length
        index = index * number + place.view(*[-1 if one == axis else 1 for one in range(len(size))])
    return index


def relabelled(segments: Int[Tensor, "*spatial"]) -> Int[Tensor, "*spatial"]:
    """Return the same segments, numbered 0 to n - 1 in the order of their numbers; raise `ShapeError` where there is none."""
    if segments.numel() == 0 or segments.is_floating_point():
        raise ShapeError(
            f"a segment map is an array of whole numbers, one per pixel; got {segments.dtype} of shape {tuple(segments.shape)}"
        )
    found: Tensor = torch.unique(segments, return_inverse=True)[1]
    return found


def members(segments: Int[Tensor, "*spatial"]) -> Bool[Tensor, "n *spatial"]:
    """Return which pixels belong to each segment."""
    numbers = torch.arange(int(segments.max()) + 1).view(-1, *[1] * segments.dim())
    return segments == numbers


def painted(values: Float[Tensor, " n"], segments: Int[Tensor, "*spatial"]) -> Float[Tensor, "*spatial"]:
    """Give each pixel its segment's value, divided by the segment's size: the map then adds up to the values."""
    sizes = torch.bincount(segments.flatten(), minlength=len(values)).to(values)
    return (values / sizes.clamp_min(1))[segments.to(values.device)]
