"""The pictures of a page as addresses that hold their own bytes, at a detail that fits its size."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from seewhy.render.colors import colorize
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.render.outline import Loop
from seewhy.render.scene import drawing_size, flat_rgb, resample, scene
from seewhy.report.photo import PhotoReport


@dataclass(frozen=True)
class Detail:
    """Long sides in pixels, and WebP quality from 0 to 100."""

    photo: int
    map: int
    thumbnail: int
    quality: int


DETAILS = (
    Detail(1000, 384, 224, 80),
    Detail(900, 320, 224, 70),
    Detail(800, 288, 192, 58),
    Detail(680, 224, 160, 46),
    Detail(560, 192, 128, 36),
    Detail(440, 160, 112, 28),
    Detail(320, 128, 96, 20),
    Detail(200, 96, 64, 12),
)
"""From the finest to the coarsest; a page takes the first that fits."""


def photo_uri(picture: Image.Image, long: int, quality: int) -> str:
    """Return a photo with its long side at most `long` pixels."""
    size = drawing_size(picture.size, 1, long)
    return _webp(flat_rgb(picture).resize(size, Image.Resampling.LANCZOS), quality)


def map_uri(report: PhotoReport, heatmap: Float[np.ndarray, "h w"], detail: Detail) -> str:
    """Return a map in colour, transparent where it is zero, to be laid over the photo."""
    values = resample(heatmap, drawing_size(report.picture.size, detail.map, detail.map))
    return _webp(
        Image.fromarray(colorize(values, signed=report.signed, limit=report.limit, opacity=1.0)), detail.quality
    )


def channel_uri(report: PhotoReport, heatmap: Float[np.ndarray, "h w"], detail: Detail) -> str:
    """Return where a channel is active, over the grey photo, on a scale of its own."""
    size = drawing_size(report.picture.size, detail.thumbnail, detail.thumbnail)
    limit = float(np.nanmax(np.abs(heatmap))) if np.isfinite(heatmap).any() else 0.0
    drawn = scene(report.picture, heatmap, size, signed=bool(np.nanmin(heatmap) < 0), limit=limit, outline=None)
    return _webp(drawn, detail.quality)


def gradient(*, signed: bool, limit: float, stops: int = 17) -> str:
    """Return the colours of the scale as stops of a CSS gradient, faded towards zero as the maps are."""
    values = np.linspace(-1.0 if signed else 0.0, 1.0, stops)[None]
    colours = colorize(values, signed=signed, limit=1.0 if limit else 0.0, opacity=1.0)[0].tolist()
    return ", ".join(f"rgb({red} {green} {blue} / {alpha / 255:.2f})" for red, green, blue, alpha in colours)


def path(loops: list[Loop], shape: tuple[int, int], units: int) -> str:
    """Return closed lines as the data of an SVG path; the long side of the map is `units` long."""
    scale = units / max(shape)
    parts = []
    for loop in loops:
        points = np.rint(loop * scale).astype(int)
        kept = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
        if len(kept) > 2:
            parts.append("M" + " ".join(f"{x} {y}" for x, y in kept.tolist()) + "Z")
    return "".join(parts)


def _webp(image: Image.Image, quality: int) -> str:
    return data_uri(webp_bytes(image, quality), "image/webp")
