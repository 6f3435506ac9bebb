"""Curves with their bands, and a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from seewhy.errors import ShapeError
from seewhy.render.chart import GAP, ROW, RULE, TEXT, Colour, Scale, captioned
from seewhy.render.text import INK, PAPER, SOFT, face, legible, line_height, shortened

FINE = 3
"""Curves are drawn so many times as large and shrunk, as lines have no soft edges otherwise."""


@dataclass(frozen=True, eq=False)
class Line:
    """One curve with its band.

    Attributes:
        name: written in the key.
        x, y, low, high: its points.
        colour: of the line; the band has the same, faint.
        dashed: for a control.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: Colour
    dashed: bool = False


def curves(
    lines: Sequence[Line],
    across: Scale,
    up: Scale,
    *,
    labels: tuple[str, str],
    width: int = 1000,
    height: int = 340,
    title: str = "",
    notes: Sequence[str] = (),
) -> Image.Image:
    """Draw curves with their bands, a key beside them, and both axes.

    Args:
        lines: the last is drawn on top.
        across, up: the axes.
        labels: of the axis across, and of the one that goes up.
        width, height: of the picture, without title and notes.
        title, notes: lines above and below.

    Raises:
        ShapeError: there is no curve, or one has lists of different lengths.
    """
    if not lines or any(len({len(one.x), len(one.y), len(one.low), len(one.high)}) != 1 for one in lines):
        raise ShapeError("a chart of curves takes at least one, and each has as many values as places")
    small = face(TEXT - 2)
    key = min(width // 3, round(max(small.getlength(legible(one.name, small)) for one in lines)) + 60)
    left, top, bottom = 64, line_height(small) + GAP, height - 2 * line_height(small) - GAP
    box = (left, top, width - key - GAP, bottom)
    drawn = _lines(lines, across, up, box, (width, height))
    pen = ImageDraw.Draw(drawn)
    for value, label in up.ticks:
        pen.text((left - 8, up.at(value, bottom, top - bottom)), label, fill=SOFT, font=small, anchor="rm")
    for value, label in across.ticks:
        pen.text((across.at(value, left, box[2] - left), bottom + 6), label, fill=SOFT, font=small, anchor="ma")
    pen.text((left, 2), legible(labels[1], small), fill=SOFT, font=small)
    pen.text(
        ((left + box[2]) / 2, bottom + line_height(small) + 8),
        legible(labels[0], small),
        fill=SOFT,
        font=small,
        anchor="ma",
    )
    for row, one in enumerate(reversed(lines)):
        middle = top + 12 + row * ROW
        _stroke(pen, [(box[2] + 14, middle), (box[2] + 44, middle)], one, 3)
        pen.text(
            (box[2] + 52, middle),
            shortened(legible(one.name, small), small, key - 52),
            fill=INK,
            font=small,
            anchor="lm",
        )
    return captioned(drawn, width, title, notes)


def _lines(
    lines: Sequence[Line], across: Scale, up: Scale, box: tuple[int, int, int, int], size: tuple[int, int]
) -> Image.Image:
    left, top, right, bottom = (FINE * side for side in box)
    drawn = Image.new("RGB", (FINE * size[0], FINE * size[1]), PAPER)
    pen = ImageDraw.Draw(drawn, "RGBA")
    for value, _ in up.ticks:
        y = up.at(value, bottom, top - bottom)
        pen.line((left, y, right, y), fill=SOFT if value == up.ticks[0][0] else RULE, width=FINE)

    def points(y: Sequence[float], one: Line) -> list[tuple[float, float]]:
        return [
            (across.at(x, left, right - left), up.at(value, bottom, top - bottom))
            for x, value in zip(one.x, y, strict=True)
        ]

    for one in lines:
        if len(one.x) > 1:
            pen.polygon(points(one.low, one) + points(one.high, one)[::-1], fill=(*one.colour, 52))
    for one in lines:
        _stroke(pen, points(one.y, one), one, 3 * FINE)
    return drawn.resize(size, Image.Resampling.LANCZOS)


def _stroke(pen: ImageDraw.ImageDraw, points: list[tuple[float, float]], one: Line, width: int) -> None:
    """Draw a line through points; dashed for a control."""
    if not one.dashed:
        pen.line(points, fill=one.colour, width=width, joint="curve")
        return
    at = 0.0
    for (x, y), (u, v) in pairwise(points):
        length = float(np.hypot(u - x, v - y))
        steps = max(1, round(length / (1.2 * width)))
        for step in range(steps):
            begin, end = step / steps, (step + 1) / steps
            if int((at + begin * length) / (2.4 * width)) % 2 == 0:
                pen.line(
                    (x + begin * (u - x), y + begin * (v - y), x + end * (u - x), y + end * (v - y)),
                    fill=one.colour,
                    width=width,
                )
        at += length
