"""The colour bar: which colour is which number, and what the numbers are shares of."""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from seewhy.render.colors import colorize
from seewhy.render.text import INK, PAPER, SOFT, face, legible, line_height, panel


def figures(value: float) -> str:
    """Return a number with three significant figures, never "-0"."""
    return f"{value:.3g}" if value else "0"


def percent(share: float) -> str:
    """Return a share in percent, two figures: "20 %", "3.4 %"; a part is never called 100 %, nor 0 %."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.0f} %"


def own_end(limit: float | None, *, signed: bool) -> str:
    """Return what the end of the scale is where the caller gives no words for it."""
    if limit is not None:
        return "a limit that was given"
    return "this picture's own largest magnitude" if signed else "this picture's own maximum"


def remark(heatmap: Float[np.ndarray, "h w"], *, signed: bool) -> str:
    """Return what must be said about a map that shows nothing for its target; empty for every other map."""
    seen = heatmap[np.isfinite(heatmap)]
    if signed and seen.max() <= 0 and seen.min() < 0:
        return "nothing speaks for it: the map has no positive value"
    if (np.abs(seen) if signed else seen).max() > 0:
        return ""
    return "no evidence: the map is zero everywhere" if not seen.any() else "no evidence: the map is nowhere above zero"


def bar(
    width: int,
    size: int,
    *,
    signed: bool,
    limit: float,
    palette: str | None = None,
    opacity: float = 0.85,
    ends: tuple[str, str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> Image.Image:
    """Draw the scale as it looks over middle grey, the numbers at its ends, and lines of notes under it.

    Args:
        width: of the drawing in pixels.
        size: of the text in pixels.
        signed: the scale runs from -limit to limit, otherwise from 0.
        limit: value at the end of the scale; 0 draws an empty scale.
        palette: one of `seewhy.render.PALETTES`.
        opacity: that of the map, so that the colours look alike.
        ends: words for the low end, the middle and the high end, in place of the numbers.
        notes: lines under the scale.
    """
    margin = size // 2 + 4
    low, middle, high = ends or (figures(-limit) if signed else "0", "0" if signed else "", figures(limit))
    strip = _strip(
        width - 2 * margin, max(8, size * 2 // 3), signed=signed, limit=limit, palette=palette, opacity=opacity
    )
    font = face(size, low + middle + high)
    low, middle, high = (legible(word, font) for word in (low, middle, high))
    words = panel([(note, size, SOFT) for note in notes if note], width, margin)
    under = line_height(font) + size // 4
    picture = Image.new("RGB", (width, strip.height + under + (words.height if words else 0) + margin), PAPER)
    picture.paste(strip, (margin, 0))
    pen = ImageDraw.Draw(picture)
    top = strip.height + size // 4
    pen.text((margin, top), low, fill=INK, font=font)
    pen.text((width / 2, top), middle, fill=INK, font=font, anchor="ma")
    pen.text((width - margin, top), high, fill=INK, font=font, anchor="ra")
    if words:
        picture.paste(words, (0, strip.height + under))
    return picture


def _strip(width: int, height: int, *, signed: bool, limit: float, palette: str | None, opacity: float) -> Image.Image:
    end = limit or 1.0
    values = np.broadcast_to(np.linspace(-end if signed else 0.0, end, width), (height, width))
    ground = Image.new("RGBA", (width, height), (128, 128, 128, 255))
    layer = colorize(values, signed=signed, limit=limit, palette=palette, opacity=opacity)
    return Image.alpha_composite(ground, Image.fromarray(layer, "RGBA")).convert("RGB")
