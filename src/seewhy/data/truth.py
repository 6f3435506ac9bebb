"""Objects that people marked in a picture: the ground truth for detectors."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image, ImageDraw
from torch import Tensor

from seewhy.errors import DataError

MOST_BYTES = 1 << 30
"""The largest file of annotations that is read."""

MOST_PIXELS = 1 << 26
"""The largest mask that is made."""

FINE = 4
"""Rows and columns into which each pixel is divided when an outline is filled."""

Four = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Truth:
    """One object that is in a picture.

    Attributes:
        name: of its class.
        box: corners (x1, y1, x2, y2) in pixels of the picture.
        crowd: it marks a group, which no detection is held against.
        mask: its pixels (h, w), where they are known.
    """

    name: str
    box: Four
    crowd: bool = False
    mask: Bool[Tensor, "h w"] | None = None


def checked_box(box: Four, size: tuple[int, int], where: str) -> Four:
    """Return the part of a box that lies in a picture (h, w).

    Raises:
        DataError: it has no area, lies outside of the picture, reaches far beyond it, or is not in pixels.
    """
    x1, y1, x2, y2 = box
    height, width = size
    said = f"box ({x1:.6g}, {y1:.6g}) to ({x2:.6g}, {y2:.6g})"
    if not np.isfinite(box).all() or x2 <= x1 or y2 <= y1:
        raise DataError(f"{where}: {said} has no area")
    if max(map(abs, box)) <= 1.0 and min(size) > 2:
        raise DataError(f"{where}: {said} is in shares of the picture, and pixels were wanted")
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        raise DataError(f"{where}: {said} lies outside of the picture, which is {width} x {height} pixels")
    if (
        x2 > width + 0.1 * width + 2
        or y2 > height + 0.1 * height + 2
        or x1 < -0.1 * width - 2
        or y1 < -0.1 * height - 2
    ):
        raise DataError(
            f"{where}: {said} reaches beyond the picture, which is {width} x {height} pixels; are they of one size?"
        )
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))


def filled(outlines: list[list[float]], size: tuple[int, int], where: str) -> Bool[Tensor, "h w"]:
    """Return the pixels of a picture (h, w) of which outlines (x, y, x, y, ... in pixels) hold at least half.

    Raises:
        DataError: an outline with fewer than three points, or a picture that is too large.
    """
    if size[0] * size[1] > MOST_PIXELS:
        raise DataError(f"{where}: a mask of {size[1]} x {size[0]} pixels is too large")
    parts = torch.zeros(size, dtype=torch.bool)
    for outline in outlines:
        if len(outline) < 6 or len(outline) % 2 or not np.isfinite(outline).all():
            raise DataError(
                f"{where}: an outline has an x and a y for each of at least three points, got {len(outline)} numbers"
            )
        parts |= _one(outline, size)
    return parts


def _one(outline: list[float], size: tuple[int, int]) -> Bool[Tensor, "h w"]:
    """Fill one outline, drawn finer than pixels in the rectangle around it."""
    x, y = np.array(outline[::2]), np.array(outline[1::2])
    left, top = max(0, int(np.floor(x.min()))), max(0, int(np.floor(y.min())))
    right, bottom = min(size[1], int(np.ceil(x.max())) + 1), min(size[0], int(np.ceil(y.max())) + 1)
    mask = torch.zeros(size, dtype=torch.bool)
    if right <= left or bottom <= top:
        return mask
    canvas = Image.new("L", ((right - left) * FINE, (bottom - top) * FINE))
    points = np.stack([(x - left) * FINE - 0.5, (y - top) * FINE - 0.5], axis=1)
    ImageDraw.Draw(canvas).polygon([tuple(point) for point in points.tolist()], fill=1)
    shares = np.asarray(canvas, dtype=np.float32).reshape(bottom - top, FINE, right - left, FINE).mean(axis=(1, 3))
    mask[top:bottom, left:right] = torch.from_numpy(shares >= 0.5)
    return mask


def read_json(path: Path) -> Any:
    """Return what a file of JSON holds.

    Raises:
        DataError: no such file, too large, or not JSON.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes of annotations are too many")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({str(error).partition(chr(10))[0]})") from error
