"""Boxes: two corners (x1, y1, x2, y2) in pixels, edges not centres, so that a box from 0 to 4 covers four pixels."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Format = Literal["xyxy", "xywh", "cxcywh"]
"""How four numbers write a box: two corners, a corner and a size, a centre and a size."""

SIDES = ("left", "top", "right", "bottom")
"""The edges of a box, in the order of its numbers."""


def corners(boxes: Float[Tensor, "*b 4"], written: Format) -> Float[Tensor, "*b 4"]:
    """Return boxes as two corners."""
    if written == "xyxy":
        return boxes
    first, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([first, first + size] if written == "xywh" else [first - size / 2, first + size / 2], dim=-1)


def areas(boxes: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b"]:
    """Return the area of each box in square pixels; 0 where its corners are in the wrong order."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(dim=-1)


def overlaps(first: Float[Tensor, "*#b 4"], second: Float[Tensor, "*#b 4"]) -> Float[Tensor, "..."]:
    """Return the intersection over union of boxes that broadcast against each other; 0 where both have no area."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp_min(0).prod(dim=-1)
    union = areas(first) + areas(second) - shared
    return torch.where(union > 0, shared / union.clamp_min(torch.finfo(union.dtype).tiny), torch.zeros_like(union))


def within(boxes: Float[Tensor, "*b 4"], size: tuple[float, float]) -> Float[Tensor, "*b 4"]:
    """Return the part of each box that lies in a picture (h, w)."""
    most = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    return torch.minimum(boxes.clamp_min(0), most)


def grown(boxes: Float[Tensor, "*b 4"], share: float = 0.5) -> Float[Tensor, "*b 4"]:
    """Return boxes whose width and height have grown by a share of themselves, half of it on each side."""
    reach = (boxes[..., 2:] - boxes[..., :2]) * (share / 2)
    return torch.cat([boxes[..., :2] - reach, boxes[..., 2:] + reach], dim=-1)


def covered(box: Float[Tensor, " 4"], size: tuple[int, int]) -> Float[Tensor, "h w"]:
    """Return which share of each pixel of a picture (h, w) a box covers: 1 inside, a fraction where its edge cuts a pixel."""
    x1, y1, x2, y2 = box.double().unbind()

    def along(low: Tensor, high: Tensor, length: int) -> Tensor:
        starts = torch.arange(length, dtype=torch.float64)
        return (torch.minimum(high, starts + 1) - torch.maximum(low, starts)).clamp(0, 1)

    return along(y1, y2, size[0])[:, None] * along(x1, x2, size[1])[None, :]


def kept(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], classes: Int[Tensor, " n"], most: float
) -> Int[Tensor, " m"]:
    """Return which boxes stay, the surest first, when of two of one class that overlap by more than `most` the less sure goes.

    Ties in score go to the box that comes first.
    """
    order = scores.argsort(descending=True, stable=True)
    stay: list[int] = []
    left: Bool[Tensor, " n"] = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    for at, index in enumerate(order.tolist()):
        if not left[at]:
            continue
        stay.append(index)
        rest = order[at + 1 :]
        near = (overlaps(boxes[index], boxes[rest]) > most) & (classes[rest] == classes[index])
        left[at + 1 :] &= ~near
    return torch.tensor(stay, dtype=torch.long, device=boxes.device)
