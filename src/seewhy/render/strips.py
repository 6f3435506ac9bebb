"""Rows of small pictures, each row with a name at its left, in groups under a heading: what a channel likes best, least, and between."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from seewhy.errors import ConfigError
from seewhy.render.overlay import stacked
from seewhy.render.scene import resized
from seewhy.render.text import INK, PAPER, SOFT, face, line_height, panel, shortened, wrap

_TEXT = 13
_GAP = 8
_LABEL = 118


@dataclass(frozen=True, eq=False)
class Strip:
    """One row.

    Attributes:
        name: stands at its left.
        cells: pictures, each with a word under it.
        instead: a sentence in their place, where there is nothing to see.
    """

    name: str
    cells: Sequence[tuple[Image.Image, str]] = ()
    instead: str = ""


@dataclass(frozen=True, eq=False)
class Group:
    """Rows that belong together.

    Attributes:
        heading: above them.
        strips: the rows.
        note: a softer line under the heading.
    """

    heading: str
    strips: Sequence[Strip]
    note: str = ""


def strips(groups: Sequence[Group], *, cell: int = 104, title: str = "", notes: Sequence[str] = ()) -> Image.Image:
    """Draw groups of rows one under another.

    Args:
        groups: what is drawn.
        cell: side in pixels of the square that a picture may fill; a picture that grows more than three times keeps its pixels as squares.
        title: line above everything.
        notes: lines at the foot.

    Raises:
        ConfigError: there are no groups.
    """
    if not groups:
        raise ConfigError("a sheet wants at least one group of pictures")
    most = max([len(strip.cells) for group in groups for strip in group.strips] + [4])
    width = 2 * _GAP + _LABEL + most * (cell + _GAP)
    parts: list[Image.Image | None] = [panel([(title, _TEXT * 3 // 2, INK)], width, 2 * _GAP)]
    for group in groups:
        parts.append(panel([(group.heading, _TEXT + 2, INK), (group.note, _TEXT, SOFT)], width, 2 * _GAP))
        parts += [_row(strip, cell, width) for strip in group.strips]
    parts.append(panel([(note, _TEXT, SOFT) for note in notes if note], width, 2 * _GAP, limit=4))
    return stacked(parts, _GAP)


def _row(strip: Strip, cell: int, width: int) -> Image.Image:
    font, step = face(_TEXT, strip.name), line_height(face(_TEXT))
    height = cell + step + 2 if strip.cells else step * (1 + len(wrap(strip.instead, font, width - _LABEL - 4 * _GAP)))
    row = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(row)
    lines = wrap(strip.name, font, _LABEL - _GAP, 4)
    top = max(0, (cell - step * len(lines)) // 2) if strip.cells else 0
    for number, line in enumerate(lines):
        pen.text((2 * _GAP, top + number * step), line, fill=SOFT, font=font)
    left = _LABEL + 2 * _GAP
    for number, line in enumerate(wrap(strip.instead, font, width - left - 2 * _GAP)):
        pen.text((left, number * step), line, fill=SOFT, font=face(_TEXT, line))
    for number, (picture, caption) in enumerate(strip.cells):
        across = left + number * (cell + _GAP)
        drawn = fitted(picture, cell)
        row.paste(drawn, (across + (cell - drawn.width) // 2, (cell - drawn.height) // 2))
        words = face(_TEXT, caption)
        pen.text((across + cell / 2, cell + 2), shortened(caption, words, cell), fill=INK, font=words, anchor="ma")
    return row


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """Return a picture as large as a square of this side allows."""
    factor = side / max(picture.size)
    return resized(picture, (max(1, round(picture.width * factor)), max(1, round(picture.height * factor))))
