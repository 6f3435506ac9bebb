"""A local model on its photo: superpixels outlined, coloured by what showing them adds, and numbered."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from PIL import Image, ImageDraw

from seewhy.errors import DataError
from seewhy.render.bar import bar, figures
from seewhy.render.outline import contours
from seewhy.render.overlay import stacked
from seewhy.render.scene import drawing_size, flat_rgb, resized, scene, with_lines
from seewhy.render.text import face
from seewhy.report.importance_map import number_at
from seewhy.surrogates.local_surrogate import LocalSurrogate

UNSEEN = -1
DIMMED = 0.28
"""Of its brightness is left of what lies around a superpixel on its own picture."""


def local_map(found: LocalSurrogate) -> Image.Image:
    """Draw the photo with its superpixels, and the scale below."""
    drawn, end = local_scene(found), strongest(found)
    text = max(14, drawn.width // 44)
    ends = (f"{figures(-end)}  against", "0", f"for  {figures(end)}")
    foot = bar(max(drawn.width, 420), text, signed=True, limit=end, ends=ends, notes=(caption(found),))
    return stacked([drawn, foot], text // 2 + 4)


def strongest(found: LocalSurrogate) -> float:
    """Return the largest effect of a superpixel, up or down: the end of the scale."""
    return float(found.effects[0].abs().max())


def caption(found: LocalSurrogate) -> str:
    """Return what the colours and numbers are."""
    what = "its weight" if found.kind == "linear" else "what showing it adds, on average"
    return f"colour: {what} ({found.unit}); a number stands on each superpixel that the {found.model.title} reads"


def local_scene(found: LocalSurrogate) -> Image.Image:
    """Draw the photo with the superpixels of the model outlined, in colour and numbered from 1 in reading order.

    Raises:
        DataError: the input has no two axes to be drawn on.
    """
    picture = photo(found)
    size = drawing_size(picture.size)
    places = placed(found, size)
    effects = np.append(found.effects[0].numpy(), np.nan)
    drawn = scene(picture, effects[places], size, signed=True, limit=strongest(found), outline=None)
    used = set(found.model.used)
    width = max(1.2, max(size) / 420)
    for numbers, line in ((set(range(len(effects) - 1)) - used, width / 2.4), (used, width)):
        drawn = with_lines(drawn, [loop for one in sorted(numbers) for loop in contours(places == one)], line)
    pen, font = ImageDraw.Draw(drawn), face(max(14, max(size) // 46))
    for one in sorted(used):
        if (places == one).any():
            number_at(pen, _middle(places == one), str(one + 1), font)
    return drawn


def photo(found: LocalSurrogate) -> Image.Image:
    """Return the photo; a grey view of an input that came without one."""
    if found.sample.picture is not None:
        return flat_rgb(found.sample.picture)
    if found.segments.dim() != 2:
        raise DataError(f"a local model is drawn on a picture with two axes, and the input has {found.segments.dim()}")
    values = found.sample.inputs.detach().float().cpu().mean(dim=0)
    low, high = values.aminmax()
    grey = (values - low) / (high - low).clamp_min(1e-12) * 255
    return Image.fromarray(grey.byte().numpy()).convert("RGB")


def placed(found: LocalSurrogate, size: tuple[int, int]) -> Int[np.ndarray, "h w"]:
    """Return which superpixel each pixel of a drawing of this size (w, h) belongs to; -1 where the network saw nothing."""
    geometry, segments = found.sample.geometry, found.segments
    if geometry is None:
        rows, columns = (
            (torch.arange(wide) * have // wide).long()
            for wide, have in zip((size[1], size[0]), segments.shape, strict=True)
        )
        return segments[rows][:, columns].numpy()
    axes = [torch.arange(have).double() for have in segments.shape]
    row, column = (
        geometry.to_source(grid, (size[1], size[0])) for grid in torch.meshgrid(*axes, indexing="ij")
    )  # where each pixel of the drawing lies in the input
    here = segments[row.nan_to_num().round().long(), column.nan_to_num().round().long()]
    return torch.where(row.isnan(), UNSEEN, here).numpy()


def superpixel_picture(found: LocalSurrogate, number: int, side: int = 132) -> Image.Image:
    """Return one superpixel with what lies around it, which is dark."""
    picture = photo(found)
    size = drawing_size(picture.size, 360, 600)
    inside = placed(found, size) == number
    pixels = np.asarray(resized(picture, size), dtype=np.float64)
    shown = Image.fromarray(np.where(inside[..., None], pixels, DIMMED * pixels).round().astype(np.uint8))
    shown = with_lines(shown, contours(inside), max(1.2, max(size) / 330))
    return shown.crop(_around(inside)).resize((side, side), Image.Resampling.LANCZOS)


def _around(inside: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """Return a square (left, top, right, bottom) that holds the marked pixels with some of what is around them."""
    pixels = np.argwhere(inside) if inside.any() else np.array([[0, 0], np.array(inside.shape) - 1])
    low, high = pixels.min(0), pixels.max(0) + 1
    half = max(12.0, 0.72 * float((high - low).max()))
    half = min(half, min(inside.shape) / 2)
    middle = np.clip((low + high) / 2, half, np.array(inside.shape) - half)
    top, left = (middle - half).round().astype(int)
    return int(left), int(top), int(left + 2 * half), int(top + 2 * half)


def _middle(inside: Bool[np.ndarray, "h w"]) -> tuple[float, float]:
    """Return the marked pixel (x, y) that is nearest to the centre of all."""
    pixels: Float[np.ndarray, "n 2"] = np.argwhere(inside) + 0.5
    y, x = pixels[np.argmin(((pixels - pixels.mean(0)) ** 2).sum(1))]
    return float(x), float(y)
