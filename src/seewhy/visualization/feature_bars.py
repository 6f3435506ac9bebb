"""Numbers of features without a place in the photo, as bars from a common zero."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from seewhy.render.colors import palette_table
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, face, panel

_TEXT = 15
_ROW = 24
_GAP = 14
_WIDTH, _NAMES, _NUMBERS = 640, 130, 84


def feature_bars(
    names: Sequence[str], values: Sequence[float], written: Sequence[str], *, title: str, notes: Sequence[str]
) -> Image.Image:
    """Draw one bar for each feature; all share one scale, and those below zero go to the left.

    Args:
        names: of the features.
        values: their activations.
        written: the same as text.
        title, notes: lines above and below.
    """
    picture = Image.new("RGB", (_WIDTH, max(1, len(names)) * _ROW), PAPER)
    pen = ImageDraw.Draw(picture)
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0
    room = _WIDTH - _NAMES - _NUMBERS - 2 * _GAP
    zero = _NAMES + _GAP - low / span * room
    dark = palette_table(None, signed=True)
    for row, (name, value, text) in enumerate(zip(names, values, written, strict=True)):
        middle = row * _ROW + _ROW / 2
        end = zero + value / span * room
        colour = tuple(int(part) for part in dark[-1 if value > 0 else 0])
        pen.rectangle((min(zero, end), middle - 7, max(zero, end), middle + 7), fill=colour)
        pen.text((_NAMES, middle), name, fill=INK, font=face(_TEXT), anchor="rm")
        pen.text((_WIDTH - _GAP, middle), text, fill=INK, font=face(_TEXT), anchor="rm")
    pen.line((zero, 0, zero, picture.height), fill=SOFT)
    head = panel([(title, _TEXT * 4 // 3, INK)], _WIDTH, _GAP)
    foot = panel([(note, _TEXT - 2, SOFT) for note in notes if note], _WIDTH, _GAP, limit=4)
    return stacked([head, picture, foot], _GAP)
