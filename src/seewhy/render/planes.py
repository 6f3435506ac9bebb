"""Three planes through a volume: axial, coronal and sagittal, as radiologists look at them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from PIL import Image, ImageDraw

from seewhy.render.bar import bar, figures
from seewhy.render.overlay import stacked
from seewhy.render.scene import resample, scene
from seewhy.render.text import INK, PAPER, SOFT, face, panel

PLANES = ("axial", "coronal", "sagittal")
SIDES = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}
"""What is left, right, above and below in each plane: the patient's right is on the left of the screen."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A volume on a grid of cubes for looking: slices go up, rows to the back, columns to the patient's left.

    Attributes:
        grey: (d, h, w), from 0 (black) to 1 (white).
        heat: the map on the same grid; NaN where the network saw nothing.
        area: what a line goes around.
        step: side of a cube in millimetres.
        named: whether the sides of the patient are known.
    """

    grey: Float[np.ndarray, "d h w"]
    heat: Float[np.ndarray, "d h w"]
    area: Bool[np.ndarray, "d h w"]
    step: float
    named: bool = True

    @property
    def peak(self) -> tuple[int, int, int]:
        """Where the map is largest."""
        known = np.where(np.isfinite(self.heat), self.heat, -np.inf)
        first, second, third = (int(place) for place in np.unravel_index(int(known.argmax()), known.shape))
        return first, second, third


def plane(values: Shaped[np.ndarray, "d h w"], name: str, at: tuple[int, int, int]) -> Shaped[np.ndarray, "r c"]:
    """Return one plane through a place, as it is shown: the head above in coronal and sagittal planes."""
    cut: Shaped[np.ndarray, "r c"] = values[at[0]]
    if name == "coronal":
        cut = values[::-1, at[1], :]
    elif name == "sagittal":
        cut = values[::-1, :, at[2]]
    return cut


def crosshair(name: str, at: tuple[int, int, int], depth: int) -> tuple[int, int]:
    """Return row and column of a place in one plane."""
    row = at[1] if name == "axial" else depth - 1 - at[0]
    return row, at[1] if name == "sagittal" else at[2]


def drawn_plane(
    stack: Stack,
    name: str,
    at: tuple[int, int, int],
    scale: float,
    *,
    signed: bool,
    limit: float,
    map_shown: bool = True,
) -> Image.Image:
    """Draw one plane with its map, the line around the regions, the letters of its sides and the lines of the other two planes."""
    grey = plane(stack.grey, name, at)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    base = Image.fromarray((np.clip(grey, 0, 1) * 255).round().astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    heat = plane(stack.heat, name, at)
    shown = heat if map_shown else np.where(np.isnan(heat), np.nan, 0.0)
    drawn = scene(
        base.convert("RGB"),
        resample(shown, size),
        size,
        signed=signed,
        limit=limit,
        outline=None,
        area=plane(stack.area, name, at) if map_shown else None,
    )
    _lines(drawn, crosshair(name, at, stack.grey.shape[0]), scale)
    if stack.named:
        _letters(drawn, SIDES[name])
    return drawn


def _lines(picture: Image.Image, place: tuple[int, int], scale: float) -> None:
    """Draw where the other two planes pass, open around the place itself."""
    pen = ImageDraw.Draw(picture, "RGBA")
    y, x = ((cell + 0.5) * scale for cell in place)
    gap, ink = max(10.0, picture.width / 16), (120, 200, 255, 150)
    pen.line([(0, y), (x - gap, y)], fill=ink)
    pen.line([(x + gap, y), (picture.width, y)], fill=ink)
    pen.line([(x, 0), (x, y - gap)], fill=ink)
    pen.line([(x, y + gap), (x, picture.height)], fill=ink)


def _letters(picture: Image.Image, sides: str) -> None:
    pen, size = ImageDraw.Draw(picture), max(13, min(22, picture.width // 16))
    width, height, off = picture.width, picture.height, 5
    places = (
        (off, height / 2, "lm"),
        (width - off, height / 2, "rm"),
        (width / 2, off, "ma"),
        (width / 2, height - off, "md"),
    )
    for letter, (x, y, anchor) in zip(sides, places, strict=True):
        pen.text((x, y), letter, font=face(size), fill="white", anchor=anchor, stroke_width=2, stroke_fill=(20, 18, 16))


def three_planes(
    stack: Stack,
    *,
    signed: bool,
    limit: float,
    title: str,
    unit: str,
    normalization: str,
    notes: tuple[str, ...] = (),
    width: int = 1320,
) -> Image.Image:
    """Draw the three planes through the map's peak side by side on one scale of millimetres, bare above and with the map below."""
    at = stack.peak
    depth, height, across = stack.grey.shape
    scale = max(0.2, min((width - 4 * 12) / (2 * across + height), 460 / max(depth, height)))
    rows = [_row(stack, at, scale, signed=signed, limit=limit, map_shown=shown) for shown in (False, True)]
    wide = max(rows[0].width, 640)
    head = panel([(title, 22, INK), (_places(stack, at), 16, SOFT)], wide, 12)
    lines = (
        f"evidence{f' ({unit})' if unit else ''}; the scale ends at {normalization}" if limit else "no evidence",
        *notes,
    )
    ends = ("0", "", figures(limit)) if not signed else (f"{figures(-limit)}  against", "0", f"for  {figures(limit)}")
    foot = bar(wide, 16, signed=signed, limit=limit, ends=ends, notes=lines)
    return stacked([head, *rows, foot], 12)


def _places(stack: Stack, at: tuple[int, int, int]) -> str:
    names = "axial, coronal and sagittal plane" if stack.named else "planes along the three axes of the file"
    return f"{names} through the strongest place, without and with the map" + (
        "; R is the patient's right" if stack.named else "; the file does not say which side is which"
    )


def _row(
    stack: Stack, at: tuple[int, int, int], scale: float, *, signed: bool, limit: float, map_shown: bool
) -> Image.Image:
    drawn = [drawn_plane(stack, name, at, scale, signed=signed, limit=limit, map_shown=map_shown) for name in PLANES]
    gap = 12
    row = Image.new("RGB", (sum(one.width + gap for one in drawn) + gap, max(one.height for one in drawn)), PAPER)
    left = gap
    for one in drawn:
        row.paste(one, (left, (row.height - one.height) // 2))
        left += one.width + gap
    return row
