"""Many small pictures with a few words under each, on one sheet."""

from collections.abc import Sequence
from math import ceil, sqrt

from PIL import Image, ImageDraw

from seewhy.errors import ConfigError
from seewhy.render.overlay import stacked
from seewhy.render.scene import resized
from seewhy.render.text import INK, PAPER, SOFT, face, line_height, panel, wrap

Cell = tuple[Image.Image, Sequence[str]]
"""A picture and the lines under it; the first line is dark, the others are softer."""

_TEXT = 13
_GAP = 14
_NARROWEST = 420


def contact(
    cells: Sequence[Cell],
    *,
    columns: int | None = None,
    cell: tuple[int, int] = (180, 180),
    title: str = "",
    notes: Sequence[str] = (),
    foot: Image.Image | None = None,
) -> Image.Image:
    """Draw pictures with captions in a grid, row by row.

    Args:
        cells: pictures and their captions; a picture keeps its proportions and is centred in its cell. One that grows more than three times
            keeps its pixels as squares.
        columns: how many stand side by side; as many as make the sheet about half as wide again as it is high if None.
        cell: (w, h) in pixels that a picture may fill.
        title: line above the grid.
        notes: lines under it.
        foot: a picture between the grid and the notes, such as a scale that all cells share.

    Raises:
        ConfigError: no cells, or fewer than one column.
    """
    if not cells:
        raise ConfigError("a contact sheet wants at least one picture")
    if columns is not None and columns < 1:
        raise ConfigError(f"a contact sheet has at least one column, got {columns}")
    columns = min(len(cells), columns or ceil(sqrt(1.5 * len(cells))))
    width = max(_NARROWEST, columns * (cell[0] + _GAP) + _GAP)
    rows = [_row(cells[start : start + columns], cell, width, columns) for start in range(0, len(cells), columns)]
    head = panel([(title, _TEXT * 3 // 2, INK)], width, _GAP)
    words = panel([(note, _TEXT, SOFT) for note in notes if note], width, _GAP, limit=4)
    return stacked([head, *rows, foot, words], _GAP)


def _row(cells: Sequence[Cell], cell: tuple[int, int], width: int, columns: int) -> Image.Image:
    """Draw one row: pictures on one line, captions under them as high as the longest."""
    captions = [_lines(words, cell[0]) for _, words in cells]
    step = line_height(face(_TEXT))
    row = Image.new("RGB", (width, cell[1] + _GAP // 2 + step * max(map(len, captions))), PAPER)
    pen = ImageDraw.Draw(row)
    begin = (width - columns * (cell[0] + _GAP) + _GAP) // 2
    for number, ((picture, _), lines) in enumerate(zip(cells, captions, strict=True)):
        left = begin + number * (cell[0] + _GAP)
        drawn = _fitted(picture, cell)
        row.paste(drawn, (left + (cell[0] - drawn.width) // 2, (cell[1] - drawn.height) // 2))
        for place, (text, ink) in enumerate(lines):
            at = (left, cell[1] + _GAP // 2 + place * step)
            pen.text(at, text, fill=ink, font=face(_TEXT, text))
    return row


def _lines(words: Sequence[str], width: int) -> list[tuple[str, tuple[int, int, int]]]:
    """Return the lines of a caption, wrapped to the cell, each with its ink."""
    return [
        (line, INK if number == 0 else SOFT)
        for number, text in enumerate(words)
        for line in wrap(text, face(_TEXT, text), width, 2)
    ]


def _fitted(picture: Image.Image, cell: tuple[int, int]) -> Image.Image:
    """Return a picture as large as its cell allows."""
    factor = min(cell[0] / picture.width, cell[1] / picture.height)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.convert("RGB") if picture.size == size and picture.mode == "RGB" else resized(picture, size)
