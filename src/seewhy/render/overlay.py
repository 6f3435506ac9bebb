"""One map over one photo, with its scale: a picture that can be read without the program that made it."""

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from seewhy.render.bar import bar, figures, own_end, percent, remark
from seewhy.render.scene import around, drawing_size, resample, scale_end, scene
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
    area: Bool[np.ndarray, "h2 w2"] | None = None,
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
        area: draw the line around this area instead, such as the one that a test hid.
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
    drawn = scene(picture, values, size, signed=signed, limit=end, palette=palette, outline=outline, area=area)
    width = max(drawn.width, 420)
    text = max(14, width // 44)
    normalization = normalization or own_end(limit, signed=signed)
    lines = (
        remark(heatmap, signed=signed),
        f"evidence{f' ({unit})' if unit else ''}; the scale ends at {normalization}" if end else "",
        *_lines(values, outline, area),
        "hatched: not seen by the network" if np.isnan(values).any() else "",
        *notes,
    )
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


def _lines(values: Heatmap, outline: float | None, area: Bool[np.ndarray, "h2 w2"] | None) -> list[str]:
    """Return what the line encloses, in words; nothing where nothing speaks for the target."""
    positive = int((values > 0).sum())
    if area is None and not (outline and positive):
        return []
    what = "the area that was hidden" if area is not None else strongest_part(values, outline or 0.0)
    scattered = f"no outline: {what} is scattered in many small pieces"
    return [f"outlined: {what}" if around(values, outline, area) else scattered]


def strongest_part(values: Float[np.ndarray, "h w"], share: float) -> str:
    """Return which part of a map a line around its strongest `share` encloses, in words."""
    seen, positive = int(np.isfinite(values).sum()), int((values > 0).sum())
    if positive < round(share * seen):
        return f"everything that speaks for it, {percent(positive / seen)} of the seen area"
    return f"the strongest {percent(share)} of the seen area"
