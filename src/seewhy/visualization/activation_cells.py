"""Maps of a layer as small pictures: one channel over the photo, the norm of all, and three components as colours."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from seewhy.render.bar import bar, figures
from seewhy.render.scene import drawing_size, scene

EVEN = 1e-3
"""Share of its largest value that a norm must vary by to be drawn: behind a layer norm, what is left is rounding."""
LOW, HIGH = 2.0, 98.0
"""Percentiles of a component that are drawn as none and as all of a colour: a few outliers must not leave the rest without contrast."""


def fitted(photo: Image.Image, long: int) -> tuple[int, int]:
    """Return the size (w, h) of a drawing whose long side has so many pixels."""
    return drawing_size(photo.size, long, long)


def over_photo(
    photo: Image.Image, values: Float[np.ndarray, "h w"], *, signed: bool, limit: float, long: int
) -> Image.Image:
    """Draw one map over the grey photo.

    Args:
        photo: the whole photo.
        values: the map on the whole photo, at any resolution; NaN where the network saw nothing.
        signed: the layer has activations below zero.
        limit: magnitude at the end of the scale.
        long: long side of the drawing in pixels.
    """
    return scene(photo, values, fitted(photo, long), signed=signed, limit=limit, outline=None)


def risen(photo: Image.Image, values: Float[np.ndarray, "h w"], long: int) -> Image.Image:
    """Draw a norm: its least value is transparent, its largest has the full colour; one that is the same everywhere is transparent."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    values = np.where(np.isnan(values), np.nan, 0.0) if even(low, high) else values - low
    return over_photo(photo, values, signed=False, limit=0.0 if even(low, high) else high - low, long=long)


def even(low: float, high: float) -> bool:
    """Say whether a norm is the same everywhere but for rounding."""
    return high - low <= EVEN * high


def ends(low: float, high: float) -> str:
    """Return in words what the ends of the scale of a norm are."""
    if even(low, high):
        return f"{figures(high)} everywhere"
    return f"clear {figures(low)}, strongest {figures(high)}"


def colours(maps: Float[np.ndarray, "k h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Return up to three maps as red, green and blue, each from its 2nd to its 98th percentile; what is missing is middle grey.

    A map without contrast is middle grey too; positions that are NaN are black.
    """
    painted = np.full((*maps.shape[1:], 3), 0.5)
    for number, values in enumerate(maps[:3]):
        low, high = np.nanpercentile(values, (LOW, HIGH))
        if high > low:
            painted[..., number] = np.clip((values - low) / (high - low), 0, 1)
    shown: UInt8[np.ndarray, "h w 3"] = np.rint(255 * np.nan_to_num(painted, nan=0.0)).astype(np.uint8)
    return shown


def in_colours(photo: Image.Image, maps: Float[np.ndarray, "k h w"], long: int) -> Image.Image:
    """Draw components as colours in the place of the photo; what the network did not see is the photo, hatched."""
    size = fitted(photo, long)
    seen = np.isfinite(maps[0])
    ground = scene(photo, np.where(seen, 0.0, np.nan), size, signed=False, limit=0.0, outline=None)
    painted = Image.fromarray(colours(maps)).resize(size, Image.Resampling.BILINEAR)
    mask = Image.fromarray(np.where(seen, 255, 0).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    ground.paste(painted, mask=mask)
    return ground


def own_scale(width: int, text: int, *, signed: bool) -> Image.Image:
    """Draw the scale of maps of which each ends at its own largest magnitude."""
    words = ("- its own peak" if signed else "0", "0" if signed else "", "its own peak")
    return bar(width, text, signed=signed, limit=1.0, ends=words)


def shared_scale(width: int, text: int, *, signed: bool, limit: float) -> Image.Image:
    """Draw the scale that all maps share."""
    return bar(width, text, signed=signed, limit=limit)
