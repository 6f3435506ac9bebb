"""Bars with intervals, in one column or several beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from seewhy.errors import ShapeError
from seewhy.render.chart import GAP, ROW, RULE, TEXT, Scale, captioned, sign_colours
from seewhy.render.text import INK, PAPER, SOFT, face, legible, line_height, shortened


@dataclass(frozen=True, eq=False)
class Bars:
    """One column of bars.

    Attributes:
        title: above it.
        values: the length of each bar.
        lows, highs: ends of its interval.
        texts: written beside it.
        scale: holds all of them.
        bands: behind each bar, what chance would do, from one end to the other; none if empty.
    """

    title: str
    values: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    texts: Sequence[str]
    scale: Scale
    bands: Sequence[tuple[float, float]] = ()


def bars(
    names: Sequence[str],
    columns: Sequence[Bars],
    *,
    width: int = 1000,
    title: str = "",
    notes: Sequence[str] = (),
) -> Image.Image:
    """Draw a row for each name: in each column a bar from zero, its interval as a line over it, and its number.

    Args:
        names: of the rows, from top to bottom.
        columns: side by side, each with a scale of its own.
        width: of the picture.
        title, notes: lines above and below.

    Raises:
        ShapeError: a column has another number of bars than there are names, or there are none.
    """
    if not names or not columns or any(len(column.values) != len(names) for column in columns):
        raise ShapeError(f"{len(names)} names do not fit columns of {[len(column.values) for column in columns]} bars")
    font = face(TEXT, "".join(names))
    left = min(width // 4, max(90, round(max(font.getlength(legible(name, font)) for name in names)) + 2 * GAP))
    head = line_height(font) + GAP // 2
    foot = line_height(face(TEXT - 2)) + GAP
    drawn = Image.new("RGB", (width, head + len(names) * ROW + foot), PAPER)
    pen = ImageDraw.Draw(drawn)
    for row, name in enumerate(names):
        middle = head + (row + 0.5) * ROW
        pen.text((GAP, middle), shortened(legible(name, font), font, left - 2 * GAP), fill=INK, font=font, anchor="lm")
    share = (width - left) // len(columns)
    for number, column in enumerate(columns):
        _column(pen, column, (left + number * share, head), share - GAP, len(names))
    return captioned(drawn, width, title, notes)


def plot_box(begin: int, width: int, texts: Sequence[str]) -> tuple[float, float]:
    """Return where the bars of a column begin and how many pixels their scale has; its numbers stand to the right of it."""
    font = face(TEXT - 2)
    words = max((font.getlength(legible(text, font)) for text in texts), default=0.0)
    return begin + 14.0, max(40.0, width - words - 34)


def _column(pen: ImageDraw.ImageDraw, column: Bars, corner: tuple[int, int], width: int, rows: int) -> None:
    small = face(TEXT - 2)
    begin, length = plot_box(corner[0], width, column.texts)
    top, bottom = corner[1], corner[1] + rows * ROW
    pen.text(
        (corner[0] + 14, top - GAP // 2),
        shortened(column.title, face(TEXT), width - 14),
        fill=INK,
        font=face(TEXT),
        anchor="ls",
    )
    for value, label in column.scale.ticks:
        x = column.scale.at(value, begin, length)
        pen.line((x, top, x, bottom), fill=SOFT if value == 0 else RULE, width=1)
        pen.text((x, bottom + GAP // 2), label, fill=SOFT, font=small, anchor="ma")
    for row, ends in enumerate(column.bands):
        first, last = (column.scale.at(number, begin, length) for number in ends)
        pen.rectangle((first, top + row * ROW + 3, last, top + (row + 1) * ROW - 4), fill=RULE)
    against, favour = sign_colours()
    zero = column.scale.at(0.0, begin, length)
    rows_of = zip(column.values, column.lows, column.highs, column.texts, strict=True)
    for row, (value, low, high, text) in enumerate(rows_of):
        middle = top + (row + 0.5) * ROW
        end, first, last = (column.scale.at(number, begin, length) for number in (value, low, high))
        if value:
            colour = favour if value > 0 else against
            pen.rectangle((min(zero, end), middle - 6, max(zero, end), middle + 6), fill=colour)
        if last > first:
            pen.line((first, middle, last, middle), fill=INK, width=2)
            for x in (first, last):
                pen.line((x, middle - 4, x, middle + 4), fill=INK, width=2)
        pen.text((corner[0] + width, middle), legible(text, small), fill=INK, font=small, anchor="rm")
