"""One map over one photo, with its scale: a picture that can be read without the program that made it."""

import numpy as np
from jaxtyping import Float
from PIL import Image

from seewhy.render.bar import bar, figures, own_end, percent, remark
from seewhy.render.scene import around_strongest, drawing_size, resample, scale_end, scene
from seewhy.render.text import INK, PAPER, panel

Heatmap = Float[np.ndarray, "h w"]


def overlay(
    picture: Image.Image,
    heatmap: Float[np.ndarray, "h w"],
    *,
    signed: bool,
    limit: float | None = None,
    palette: str | None = None,
    title: str = "",
    unit: str = "",
    normalization: str | None = None,
    outline: float | None = 0.2,
    notes: tuple[str, ...] = (),
) -> Image.Image:
    """Draw a map over the grey photo: title above, colour bar with numbers below.

    Args:
        picture: the photo, of any size; it is drawn with its long side between 480 and 900 pixels.
        heatmap: evidence over the whole view of the photo, at any resolution; NaN where the network saw nothing.
        signed: negative values are evidence against.
        limit: value at the end of the scale; None takes the map's own largest magnitude.
        palette: one of `seewhy.render.PALETTES`.
        title: line above the photo.
        unit: of the values, such as "logit".
        normalization: what the end of the scale is, in words; None says whose maximum it is.
        outline: share of the seen area to draw a line around, its strongest positive part; None draws none.
        notes: further lines under the scale.

    Returns:
        An RGB picture. A map without evidence gives the plain grey photo and says so.

    Raises:
        ShapeError: the map is not (h, w), or has an infinite value or nothing but NaN.
        ConfigError: an unknown palette, or a limit or a share out of range.
    """
    end = scale_end(heatmap, limit, signed=signed)
    size = drawing_size(picture.size)
    values = resample(heatmap, size)
    drawn = scene(picture, values, size, signed=signed, limit=end, palette=palette, outline=outline)
    width = max(drawn.width, 420)
    text = max(14, width // 44)
    normalization = normalization or own_end(limit, signed=signed)
    lines = (remark(heatmap, signed=signed), *_meaning(values, end, unit, normalization, outline), *notes)
    ends = _ends(values, end, signed=signed)
    head = panel([(title, text * 5 // 4, INK)], width, text // 2 + 4)
    foot = bar(width, text, signed=signed, limit=end, palette=palette, ends=ends, notes=lines)
    return stacked([head, drawn, foot], text // 2 + 4)


def stacked(parts: list[Image.Image | None], gap: int) -> Image.Image:
    """Put pictures one under another, centred, with `gap` pixels between and above."""
    present = [part for part in parts if part is not None]
    width = max(part.width for part in present)
    top = gap if parts[0] is not None else 0
    whole = Image.new("RGB", (width, top + sum(part.height + gap for part in present) - gap), PAPER)
    for part in present:
        whole.paste(part, ((width - part.width) // 2, top))
        top += part.height + gap
    return whole


def _ends(values: Heatmap, end: float, *, signed: bool) -> tuple[str, str, str]:
    """Return the numbers at the ends of the scale; ">=" where values go beyond."""
    beyond = "≥ " if np.nanmax(values) > end * (1 + 1e-9) else ""
    below = "≤ " if signed and np.nanmin(values) < -end * (1 + 1e-9) else ""
    if end == 0:
        return "0", "", "0"
    if signed:
        return f"{below}{figures(-end)}  against", "0", f"for  {beyond}{figures(end)}"
    return "0", "", f"{beyond}{figures(end)}"


def _meaning(values: Heatmap, end: float, unit: str, normalization: str, outline: float | None) -> list[str]:
    lines = [f"evidence{f' ({unit})' if unit else ''}; the scale ends at {normalization}"] if end else []
    seen = int(np.isfinite(values).sum())
    if outline and (positive := int((values > 0).sum())):
        loops = around_strongest(values, outline)
        what = f"the strongest {percent(outline)} of the seen area"
        if positive < round(outline * seen):
            what = f"everything that speaks for it, {percent(positive / seen)} of the seen area"
        lines.append(f"outlined: {what}" if loops else f"no outline: {what} is scattered in many small pieces")
    if seen < values.size:
        lines.append("hatched: not seen by the network")
    return lines
