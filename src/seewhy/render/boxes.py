"""Boxes on a picture, each with its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw

from seewhy.render.text import INK, PAPER, face, legible

Four = tuple[float, float, float, float]
_EDGE, _CORE = (20, 18, 16), (255, 255, 255)
_DASH = 7.0


@dataclass(frozen=True)
class Marked:
    """A box to be drawn.

    Attributes:
        box: corners (x1, y1, x2, y2) in pixels of the picture that is drawn on.
        label: written at its upper left corner; empty for none.
        dashed: drawn with a broken line, for what was not found.
    """

    box: Four
    label: str = ""
    dashed: bool = False


def with_boxes(picture: Image.Image, marks: Sequence[Marked], *, text: int | None = None) -> Image.Image:
    """Draw boxes, white between dark edges so that they stand out on light and on dark; labels stand on paper and keep clear of each other.

    Args:
        picture: is not changed.
        marks: drawn in their order; the labels of the first ones have the better places.
        text: height of the letters in pixels; fits the picture if None.
    """
    drawn = picture.convert("RGB").copy()
    pen = ImageDraw.Draw(drawn)
    width = max(1.4, max(drawn.size) / 380)
    for mark in marks:
        _frame(pen, mark, width, drawn.size)
    taken: list[Four] = []
    for mark in marks:
        if mark.label:
            taken.append(_label(pen, mark, text or max(12, max(drawn.size) // 50), drawn.size, taken))
    return drawn


def _frame(pen: ImageDraw.ImageDraw, mark: Marked, width: float, size: tuple[int, int]) -> None:
    inset = width
    x1, y1 = max(mark.box[0], inset), max(mark.box[1], inset)
    x2, y2 = min(mark.box[2], size[0] - 1 - inset), min(mark.box[3], size[1] - 1 - inset)
    if x2 <= x1 or y2 <= y1:
        return
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1))
    for ink, thick in ((_EDGE, round(2.4 * width)), (_CORE, max(1, round(width)))):
        for start, end in pairwise(corners):
            for piece in _pieces(start, end, _DASH * width if mark.dashed else None):
                pen.line(piece, fill=ink, width=thick)


def _pieces(
    start: tuple[float, float], end: tuple[float, float], dash: float | None
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return a line as one piece, or as dashes that begin and end at its corners."""
    if dash is None:
        return [(start, end)]
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    count = max(1, round((length / dash + 1) / 2)) * 2 - 1

    def at(share: float) -> tuple[float, float]:
        return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])

    return [(at(number / count), at((number + 1) / count)) for number in range(0, count, 2)]


def _label(pen: ImageDraw.ImageDraw, mark: Marked, text: int, size: tuple[int, int], taken: Sequence[Four]) -> Four:
    """Write a label above the box, or where there is room; return the rectangle that it takes."""
    font = face(text, mark.label)
    words = legible(mark.label, font)
    wide, high = font.getlength(words) + 0.7 * text, 1.45 * text
    places = [
        (mark.box[0], mark.box[1] - high),
        (mark.box[0], mark.box[3]),
        (mark.box[2] - wide, mark.box[1] - high),
        (mark.box[0], mark.box[1]),
        (mark.box[2] - wide, mark.box[3]),
    ]
    fitting = [_moved_in(place, (wide, high), size) for place in places]
    rectangle = next((one for one in fitting if not any(_meet(one, other) for other in taken)), fitting[0])
    pen.rectangle(rectangle, fill=PAPER, outline=INK)
    pen.text((rectangle[0] + 0.35 * text, (rectangle[1] + rectangle[3]) / 2), words, fill=INK, font=font, anchor="lm")
    return rectangle


def _moved_in(corner: tuple[float, float], extent: tuple[float, float], size: tuple[int, int]) -> Four:
    left = max(0.0, min(corner[0], size[0] - 1 - extent[0]))
    top = max(0.0, min(corner[1], size[1] - 1 - extent[1]))
    return left, top, left + extent[0], top + extent[1]


def _meet(first: Four, second: Four) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
