"""Methods by classes on one scale: which method says what about which class."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from seewhy.errors import ShapeError
from seewhy.render.bar import bar, remark
from seewhy.render.overlay import stacked
from seewhy.render.scene import drawing_size, resample, resized, scale_end, scene
from seewhy.render.text import INK, PAPER, SOFT, face, line_height, panel, wrap

Heatmap = Float[np.ndarray, "h w"]
_TEXT = 15
_GAP = 10


def grid(
    picture: Image.Image,
    rows: Sequence[tuple[str, Sequence[Float[np.ndarray, "h w"]]]],
    columns: Sequence[str],
    *,
    signed: Sequence[bool],
    title: str = "",
    photo: bool = True,
) -> Image.Image:
    """Draw the maps of several methods (rows) for several classes (columns) over one photo.

    Each row is divided by the 99th percentile of its magnitudes, the largest over all classes, so that classes can be compared within a row, and
    methods by where they point; values of two methods have no common unit.

    Args:
        picture: the photo that all maps lie on.
        rows: name of the method, and its maps in the order of `columns`.
        columns: names of the classes.
        signed: for each row, whether negative values are evidence against.
        title: line above everything.
        photo: show the photo itself in front of each row.

    Raises:
        ShapeError: a row has another number of maps than there are columns, or `signed` another length than `rows`;
            or a map that `overlay` would refuse.
    """
    if not rows or not columns or len(signed) != len(rows) or any(len(maps) != len(columns) for _, maps in rows):
        counts = [len(maps) for _, maps in rows]
        raise ShapeError(f"{len(columns)} columns and {len(signed)} signs do not fit rows with {counts} maps")
    shown = len(columns) + photo
    cell = drawing_size(picture.size, *(2 * (min(260, max(150, 1000 // shown)),)))
    lines = [
        _row(picture, name, maps, cell, signed=sign, photo=photo)
        for (name, maps), sign in zip(rows, signed, strict=True)
    ]
    width = max(_label_width(cell) + shown * (cell[0] + _GAP), 420)
    head = panel([(title, _TEXT * 4 // 3, INK)], width, _GAP)
    names = _header((["photo"] if photo else []) + list(columns), cell, width)
    bars = [_scale(width, signed=kind) for kind in (False, True) if kind in set(signed)]
    return stacked([head, names, *(_widened(line, width) for line in lines), *bars], _GAP)


def _row(
    picture: Image.Image, name: str, maps: Sequence[Heatmap], cell: tuple[int, int], *, signed: bool, photo: bool
) -> Image.Image:
    values = [resample(heatmap, cell) for heatmap in maps]
    limit = max(
        _end(shown, signed=signed) for shown in values
    )  # of what is drawn: in a small cell, pixels are averaged
    left = _label_width(cell)
    label = panel([(name, _TEXT, INK)], left, _GAP, limit=4)
    line = Image.new("RGB", (left + (len(maps) + photo) * (cell[0] + _GAP), cell[1]), PAPER)
    if label:
        label = label.crop((0, 0, label.width, min(label.height, cell[1])))
        line.paste(label, (0, (cell[1] - label.height) // 2))
    pictures = [resized(picture, cell)] if photo else []
    for heatmap, shown in zip(maps, values, strict=True):
        drawn = scene(picture, shown, cell, signed=signed, limit=limit)
        if note := remark(heatmap, signed=signed):
            _write(drawn, note.partition(":")[0])
        pictures.append(drawn)
    for number, drawn in enumerate(pictures):
        line.paste(drawn, (left + number * (cell[0] + _GAP), 0))
    return line


def _end(heatmap: Heatmap, *, signed: bool) -> float:
    """Return the 99th percentile of a map's magnitudes, or the largest one where that is zero."""
    largest = scale_end(heatmap, None, signed=signed)
    seen = np.abs(heatmap[np.isfinite(heatmap)])
    return float(np.percentile(seen, 99)) or largest


def _header(names: Sequence[str], cell: tuple[int, int], width: int) -> Image.Image:
    """Draw the names of the columns, each wrapped to its column and standing on the line below."""
    font = face(_TEXT, "".join(names))
    broken = [wrap(name, font, cell[0]) for name in names]
    height = max(len(lines) for lines in broken) * line_height(font)
    picture = Image.new("RGB", (width, max(1, height)), PAPER)
    pen = ImageDraw.Draw(picture)
    for number, lines in enumerate(broken):
        middle = _label_width(cell) + number * (cell[0] + _GAP) + cell[0] / 2
        for at, line in enumerate(reversed(lines)):
            pen.text((middle, height - (at + 1) * line_height(font)), line, fill=INK, font=font, anchor="ma")
    return picture


def _scale(width: int, *, signed: bool) -> Image.Image:
    note = "share of the method's 99th percentile over these classes"
    ends = ("-1  against", "0", "for  +1") if signed else ("0", "0.5", "1")
    kind = "signed methods: " if signed else "unsigned methods: "
    drawn = bar(min(width, 520), _TEXT, signed=signed, limit=1.0, ends=ends, notes=(kind + note,))
    return _widened(drawn, width)


def _write(drawn: Image.Image, note: str) -> None:
    """Write a remark over the lower edge of a cell, on a ground of its own."""
    font = face(_TEXT - 2)
    lines = wrap(note, font, drawn.width - 8)
    height = len(lines) * line_height(font) + 4
    drawn.paste(PAPER, (0, drawn.height - height, drawn.width, drawn.height))
    pen = ImageDraw.Draw(drawn)
    for number, line in enumerate(lines):
        pen.text((4, drawn.height - height + 2 + number * line_height(font)), line, fill=SOFT, font=font)


def _label_width(cell: tuple[int, int]) -> int:
    return max(130, min(190, cell[0]))


def _widened(picture: Image.Image, width: int) -> Image.Image:
    whole = Image.new("RGB", (max(width, picture.width), picture.height), PAPER)
    whole.paste(picture, (0, 0))
    return whole
