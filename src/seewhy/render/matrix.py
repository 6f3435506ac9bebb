"""A square table of agreement, coloured."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from seewhy.errors import ShapeError
from seewhy.render.colors import colorize
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, face, legible, panel, shortened

_TEXT = 15
_GAP = 10
_CELL = (48, 30)


def matrix(names: Sequence[str], values: Float[np.ndarray, "m m"], *, title: str = "", note: str = "") -> Image.Image:
    """Draw the correlation of each row with each: its number in each cell, orange where they agree, purple where they contradict.

    Args:
        names: of the rows; the columns carry their numbers.
        values: from -1 to 1; NaN is drawn as a dash.
        title: line above the table.
        note: line below it.

    Raises:
        ShapeError: the table is not square, or has another number of rows than there are names.
    """
    if values.shape != (len(names), len(names)):
        raise ShapeError(f"{len(names)} names do not fit a table of {values.shape}")
    font = face(_TEXT)
    labels = [f"{number}  {legible(name, font)}" for number, name in enumerate(names, 1)]
    left = min(260, max(130, round(max(font.getlength(label) for label in labels)) + 2 * _GAP))
    width, height = left + len(names) * _CELL[0] + _GAP, (len(names) + 1) * _CELL[1]
    table = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(table)
    colours = _colours(values)
    for row, label in enumerate(labels):
        top = (row + 1) * _CELL[1]
        pen.text((_GAP, top + _CELL[1] / 2), shortened(label, font, left - 2 * _GAP), fill=INK, font=font, anchor="lm")
        pen.text((left + (row + 0.5) * _CELL[0], _CELL[1] / 2), str(row + 1), fill=SOFT, font=font, anchor="mm")
        for column in range(len(names)):
            _cell(pen, (left + column * _CELL[0], top), values[row, column], colours[row, column])
    width = max(width, 420)
    head, foot = panel([(title, _TEXT * 4 // 3, INK)], width, _GAP), panel([(note, _TEXT - 2, SOFT)], width, _GAP)
    return stacked([head, table, foot], _GAP)


def _colours(values: Float[np.ndarray, "m m"]) -> np.ndarray:
    """Return a colour for each cell, over paper."""
    drawn = colorize(np.nan_to_num(values), signed=True, limit=1.0, opacity=1.0)
    colour, cover = drawn[..., :3].astype(float), drawn[..., 3:].astype(float) / 255
    return np.rint(colour * cover + np.array(PAPER) * (1 - cover)).astype(int)


def _cell(pen: ImageDraw.ImageDraw, corner: tuple[int, int], value: float, colour: np.ndarray) -> None:
    box = (corner[0] + 1, corner[1] + 1, corner[0] + _CELL[0] - 1, corner[1] + _CELL[1] - 1)
    pen.rectangle(box, fill=tuple(int(part) for part in colour))
    text = "–" if np.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00")
    middle = (corner[0] + _CELL[0] / 2, corner[1] + _CELL[1] / 2)
    pen.text(middle, text if text != "–" else "-", fill=INK, font=face(_TEXT - 2), anchor="mm")
