"""The picture part of every drawing: grey photo, map over it, line around the strongest area, hatched margins."""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from seewhy.errors import ConfigError, ShapeError
from seewhy.render.colors import colorize
from seewhy.render.outline import Loop, blurred_area, contours, strongest

MOST_PIECES = 40
"""An area in more pieces than this is confetti; a line around each piece would hide the map."""


def resample(heatmap: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "h2 w2"]:
    """Resize a map to `size` (w, h), linearly between cell centres; NaN stays where it covers most of a cell.

    Values are not rescaled. A map that shrinks is averaged over the cells that it loses.
    """
    if heatmap.shape == (size[1], size[0]):
        return heatmap.astype(np.float64)
    seen = np.isfinite(heatmap)
    weight = _resized(seen.astype(np.float32), size)
    total = _resized(np.where(seen, heatmap, 0).astype(np.float32), size)
    return np.where(weight > 0.5, total / np.maximum(weight, 1e-6), np.nan)


def scale_end(heatmap: Float[np.ndarray, "h w"], limit: float | None, *, signed: bool) -> float:
    """Return the value at the end of the colour scale: `limit`, or the map's own largest magnitude.

    Raises:
        ShapeError: the map is not (h, w), is empty, or has no finite value, or an infinite one.
        ConfigError: the limit is negative or not finite, or 0 for a map that is not zero.
    """
    if heatmap.ndim != 2 or not heatmap.size:
        raise ShapeError(
            f"a heatmap has two axes (h, w) and at least one cell, this array has the shape {heatmap.shape}"
        )
    if np.isinf(heatmap).any() or np.isnan(heatmap).all():
        raise ShapeError(
            "this heatmap has an infinite value or nothing but NaN; look for an overflow before drawing it"
        )
    drawn = np.abs(heatmap) if signed else np.maximum(heatmap, 0)
    largest = float(np.nanmax(drawn))
    if limit is None:
        return largest
    if not (np.isfinite(limit) and limit >= 0) or (limit == 0 and largest > 0):
        raise ConfigError(f"limit must be a finite number above 0 (this map reaches {largest:.3g}); got {limit}")
    return limit


def drawing_size(size: tuple[int, int], shortest: int = 480, longest: int = 900) -> tuple[int, int]:
    """Return the size (w, h) at which a picture is drawn: its own, with the long side brought into the range."""
    long = max(size)
    factor = min(max(long, shortest), longest) / long
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def flat_rgb(picture: Image.Image) -> Image.Image:
    """Return the picture as RGB; transparent parts are laid on white."""
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a photo; one that grows more than three times keeps its pixels as squares."""
    growth = max(size[0] / picture.width, size[1] / picture.height)
    return flat_rgb(picture).resize(size, Image.Resampling.NEAREST if growth > 3 else Image.Resampling.LANCZOS)


def scene(
    picture: Image.Image,
    heatmap: Float[np.ndarray, "h w"],
    size: tuple[int, int],
    *,
    signed: bool,
    limit: float,
    palette: str | None = None,
    opacity: float = 0.85,
    outline: float | None = 0.2,
    area: Bool[np.ndarray, "h3 w3"] | None = None,
) -> Image.Image:
    """Draw a map over the grey photo, without words.

    Args:
        picture: the photo; it covers the same view as the map.
        heatmap: NaN where the network saw nothing; these parts are dimmed and hatched.
        size: (w, h) of the drawing in pixels.
        signed: negative values are evidence against.
        limit: value at the end of the colour scale.
        palette: one of `seewhy.render.PALETTES`.
        opacity: of the strongest value, in [0, 1].
        outline: share of the seen area to draw a line around, its strongest positive part; None draws no line.
        area: draw the line around this area instead, such as the one that a test hid.

    Returns:
        An RGB picture of that size.
    """
    values = resample(heatmap, size)
    grey = resized(picture, size).convert("L").convert("RGB")
    layer = Image.fromarray(colorize(values, signed=signed, limit=limit, palette=palette, opacity=opacity), "RGBA")
    drawn = _without_unseen(Image.alpha_composite(grey.convert("RGBA"), layer).convert("RGB"), np.isnan(values))
    loops = around(values, outline, area)
    return with_lines(drawn, loops, max(1.6, max(size) / 330)) if loops else drawn


def around_strongest(values: Float[np.ndarray, "h w"], share: float) -> list[Loop] | None:
    """Return lines around the strongest positive area; none where nothing is positive, None where it is confetti."""
    loops = contours(strongest(values, share), values)
    return loops if len(loops) <= MOST_PIECES else None


def around_area(area: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> list[Loop] | None:
    """Return lines around an area, for a drawing of `size` (w, h), corners rounded; None where it is confetti."""
    if len(contours(area)) > MOST_PIECES:
        return None
    fine = resample(area.astype(np.float64), size) > 0.5
    return contours(*blurred_area(fine, max(size) / 100))


def around(
    values: Float[np.ndarray, "h w"], outline: float | None, area: Bool[np.ndarray, "h2 w2"] | None = None
) -> list[Loop] | None:
    """Return the lines that a drawing with these values gets: around the area, or else around the strongest part."""
    if area is not None:
        return around_area(area, (values.shape[1], values.shape[0]))
    return around_strongest(values, outline) if outline else []


def with_lines(picture: Image.Image, loops: list[Loop], width: float) -> Image.Image:
    """Draw closed lines, white between dark edges, so that they stand out on light and on dark; no step is visible."""
    fine = 3
    inset = 0.8 * width
    corner = np.array(picture.size) - inset
    edge, core = (Image.new("L", (picture.width * fine, picture.height * fine)) for _ in range(2))
    for loop in loops:
        points = [tuple(point) for point in (np.clip(np.vstack([loop, loop[:2]]), inset, corner) * fine).tolist()]
        ImageDraw.Draw(edge).line(points, fill=255, width=round(2.2 * width * fine), joint="curve")
        ImageDraw.Draw(core).line(points, fill=255, width=round(width * fine), joint="curve")
    drawn = picture.copy()
    for mask, ink in ((edge, (20, 18, 16)), (core, (255, 255, 255))):
        drawn.paste(ink, mask=mask.resize(picture.size, Image.Resampling.BOX))
    return drawn


def _without_unseen(picture: Image.Image, unseen: Bool[np.ndarray, "h w"]) -> Image.Image:
    """Dim and hatch what the network did not see."""
    if not unseen.any():
        return picture
    rows, columns = np.indices(unseen.shape)
    step = max(6, max(unseen.shape) // 60)
    line = ((rows + columns) % step < max(1, step // 6))[..., None]
    plain = np.asarray(picture, dtype=np.float64)
    dimmed = np.where(line, 150.0, 0.35 * plain + 20)
    mixed: UInt8[np.ndarray, "h w 3"] = np.where(unseen[..., None], dimmed, plain).round().astype(np.uint8)
    return Image.fromarray(mixed, "RGB")


def _resized(values: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "h2 w2"]:
    return np.asarray(Image.fromarray(values, "F").resize(size, Image.Resampling.BILINEAR), dtype=np.float64)
