"""Units of one photo, where they lie: their effects as colours over it, the ranks of the first as numbers."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw, ImageFont

from seewhy.contributions.table import Importance
from seewhy.core.sample import Geometry, Sample
from seewhy.errors import DataError
from seewhy.render.bar import bar, figures
from seewhy.render.overlay import stacked
from seewhy.render.scene import drawing_size, scene
from seewhy.render.text import INK, PAPER, face
from seewhy.report import importance_words as words

NUMBERED = 9
"""Units whose rank stands in the photo."""


def weight_map(found: Importance, sample: Sample) -> Image.Image:
    """Draw the photo with the effect of each unit on the score in colour, and the scale below."""
    drawn, end = weight_scene(found, sample), strongest(found)
    text = max(14, drawn.width // 44)
    ends = (f"{figures(-end)}  against", "0", f"for  {figures(end)}")
    foot = bar(max(drawn.width, 420), text, signed=True, limit=end, ends=ends, notes=(caption(found, sample),))
    return stacked([drawn, foot], text // 2 + 4)


def strongest(found: Importance) -> float:
    """Return the largest effect on the score, up or down: the end of the scale."""
    return max((abs(weight.score.value) for weight in found.weights), default=0.0)


def caption(found: Importance, sample: Sample) -> str:
    """Return what the colours and numbers are."""
    unit = f" ({found.unit})" if found.unit else ""
    parts = [f"fall of the score{unit} when a {words.ONE.get(found.kind, 'unit')} is taken away; numbers are ranks"]
    geometry = sample.geometry
    if geometry is not None and geometry.window != (0.0, 0.0, *map(float, geometry.source)):
        parts.append("hatched: not seen by the network")
    return "; ".join(parts)


def weight_scene(found: Importance, sample: Sample) -> Image.Image:
    """Draw the photo with the effect of each unit on the score in colour, without words.

    Raises:
        DataError: the units have no place in the photo, or the sample came without a picture.
    """
    if found.places is None or sample.picture is None or sample.geometry is None:
        raise DataError("a map of weights takes units that have a place in the photo, and the photo itself")
    effects = np.array([weight.score.value for weight in found.weights] + [0.0])
    places = found.places.numpy()
    seen: Float[np.ndarray, "h w"] = sample.geometry.to_source(torch.from_numpy(effects[places]).float()).numpy()
    size = drawing_size(sample.picture.size)
    drawn = scene(sample.picture, seen, size, signed=True, limit=strongest(found), outline=None)
    pen, font = ImageDraw.Draw(drawn), face(max(14, max(size) // 46))
    for rank in range(min(NUMBERED, len(found.weights))):
        if (places == rank).any():
            number_at(pen, _on_drawing(places == rank, sample.geometry, size), str(rank + 1), font)
    return drawn


def _on_drawing(unit: Bool[np.ndarray, "h w"], geometry: Geometry, size: tuple[int, int]) -> tuple[float, float]:
    """Return where on a drawing (w, h) the pixel of the unit is that is nearest to its centre, (x, y)."""
    pixels = np.argwhere(unit)
    middle = pixels[np.argmin(((pixels - pixels.mean(0)) ** 2).sum(1))] + 0.5
    top, left, bottom, right = geometry.window
    y = top + (bottom - top) * middle[0] / unit.shape[0]
    x = left + (right - left) * middle[1] / unit.shape[1]
    return float(x * size[0] / geometry.source[1]), float(y * size[1] / geometry.source[0])


def number_at(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, font: ImageFont.FreeTypeFont) -> None:
    """Write a number on a disc of paper."""
    reach = font.size * 0.72
    pen.ellipse((at[0] - reach, at[1] - reach, at[0] + reach, at[1] + reach), fill=PAPER, outline=INK)
    pen.text(at, text, fill=INK, font=font, anchor="mm")
