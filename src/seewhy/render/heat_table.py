"""A table of signed numbers in colour."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from seewhy.errors import ShapeError
from seewhy.render.chart import GAP, ROW, TEXT, captioned
from seewhy.render.colors import colorize
from seewhy.render.text import INK, PAPER, face, legible, line_height, shortened


def heat_table(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Float[np.ndarray, "m k"],
    texts: Sequence[Sequence[str]],
    *,
    limit: float,
    width: int = 1000,
    title: str = "",
    notes: Sequence[str] = (),
) -> Image.Image:
    """Draw a table of signed numbers in colour: orange above zero, purple below, each with its number.

    Args:
        rows, columns: names; those of the columns stand upright where they are long.
        values: NaN is left empty.
        texts: what stands in each cell.
        limit: the magnitude at the end of the colours.
        width: of the picture; cells share what the names leave.
        title, notes: lines above and below.

    Raises:
        ShapeError: names and values do not fit each other.
    """
    if values.shape != (len(rows), len(columns)) or not values.size:
        raise ShapeError(f"{len(rows)} rows and {len(columns)} columns do not fit a table of {values.shape}")
    font, small = face(TEXT), face(TEXT - 3)
    left = min(width // 4, max(90, round(max(font.getlength(legible(name, font)) for name in rows)) + 2 * GAP))
    cell = min(110, (width - left - GAP) // len(columns))
    head = _upright(columns, cell)
    drawn = Image.new("RGB", (left + cell * len(columns) + GAP, head.height + ROW * len(rows)), PAPER)
    drawn.paste(head, (left, 0))
    pen = ImageDraw.Draw(drawn)
    colours = _over_paper(values, limit)
    for row, name in enumerate(rows):
        top = head.height + row * ROW
        pen.text(
            (GAP, top + ROW / 2), shortened(legible(name, font), font, left - 2 * GAP), fill=INK, font=font, anchor="lm"
        )
        for column in range(len(columns)):
            x = left + column * cell
            colour = tuple(int(part) for part in colours[row, column])
            pen.rectangle((x + 1, top + 1, x + cell - 2, top + ROW - 2), fill=colour)
            if small.getlength(texts[row][column]) <= cell - 3:
                pen.text((x + cell / 2, top + ROW / 2), texts[row][column], fill=INK, font=small, anchor="mm")
    return captioned(drawn, width, title, notes)


def _upright(names: Sequence[str], cell: int) -> Image.Image:
    """Draw the names of columns, across where all fit, else turned by a quarter."""
    small = face(TEXT - 2)
    words = [shortened(legible(name, small), small, 150) for name in names]
    lengths = [small.getlength(word) for word in words]
    flat = max(lengths) <= cell - 6
    height = line_height(small) + 6 if flat else round(max(lengths)) + 10
    head = Image.new("RGB", (cell * len(names), height), PAPER)
    for number, (word, length) in enumerate(zip(words, lengths, strict=True)):
        piece = Image.new("RGB", (max(1, round(length) + 2), line_height(small)), PAPER)
        ImageDraw.Draw(piece).text((0, 0), word, fill=INK, font=small)
        piece = piece if flat else piece.rotate(90, expand=True)
        head.paste(piece, (number * cell + (cell - piece.width) // 2, height - piece.height - 4))
    return head


def _over_paper(values: Float[np.ndarray, "m k"], limit: float) -> np.ndarray:
    """Return a colour for each cell, over paper."""
    drawn = colorize(np.nan_to_num(values), signed=True, limit=limit, opacity=0.9)
    colour, cover = drawn[..., :3].astype(float), drawn[..., 3:].astype(float) / 255
    return np.rint(colour * cover + np.array(PAPER) * (1 - cover)).astype(int)
