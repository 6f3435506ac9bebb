"""Objects as YOLO's text files write them: a line for each, in shares of the picture."""

import re
from collections.abc import Sequence
from pathlib import Path

from seewhy.data.truth import MOST_BYTES, Truth, checked_box, filled
from seewhy.errors import DataError

BEYOND = 0.02
"""How far a share may lie outside of 0 to 1 by rounding."""


def read_yolo(path: str | Path, classes: Sequence[str], size: tuple[int, int]) -> tuple[Truth, ...]:
    """Return the objects of one picture: lines of class, centre x, centre y, width, height, or of class and an outline x y x y ...

    Args:
        path: the text file; an empty one is a picture without objects.
        classes: names, by number.
        size: (h, w) of the picture.

    Raises:
        DataError: no such file, a line of another length, a class without a name, numbers that are no shares.
    """
    path = Path(path)
    objects = []
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}, line {number}"
        fields = line.split()
        if not fields:
            continue
        name, values = _class(fields[0], classes, where), _shares(fields[1:], where)
        objects.append(_truth(name, values, size, where))
    return tuple(objects)


def read_classes(path: str | Path) -> tuple[str, ...]:
    """Return the names of classes from a text file: one a line, by its order, or with its number before it ("0: person").

    Raises:
        DataError: no such file, numbers that leave one out, or no names.
    """
    lines = [line.strip() for line in _lines(Path(path)) if line.strip()]
    numbered = [re.fullmatch(r"(\d+)\s*[:,]\s*(.+)", line) for line in lines]
    if lines and all(numbered):
        named = {int(one[1]): one[2].strip() for one in numbered if one}
        if sorted(named) != list(range(len(lines))):
            raise DataError(f"{path}: classes are numbered from 0 without a gap")
        return tuple(named[number] for number in range(len(lines)))
    if not lines:
        raise DataError(f"{path}: no names of classes in it")
    return tuple(lines)


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MOST_BYTES // 16:
            raise DataError(f"{path}: {path.stat().st_size} bytes are too many for a text file of objects")
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from error


def _class(text: str, classes: Sequence[str], where: str) -> str:
    if not text.isdigit():
        raise DataError(f"{where}: a line begins with the number of a class, got {text!r}")
    if int(text) >= len(classes):
        raise DataError(f"{where}: class {text}, and there are {len(classes)} names, numbered from 0; name them all")
    return classes[int(text)]


def _shares(fields: Sequence[str], where: str) -> list[float]:
    try:
        values = [float(field) for field in fields]
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    if any(not -BEYOND <= value <= 1 + BEYOND for value in values):
        worst = max(values, key=lambda value: abs(value - 0.5))
        raise DataError(f"{where}: {worst:g} is no share of the picture, from 0 to 1; are these pixels?")
    return values


def _truth(name: str, values: Sequence[float], size: tuple[int, int], where: str) -> Truth:
    height, width = size
    if len(values) == 4:
        x, y, w, h = values
        box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        return Truth(name, checked_box(box, size, where))
    if len(values) == 5:
        raise DataError(
            f"{where}: five numbers behind the class are a prediction with its confidence; the truth has four, or an outline"
        )
    if len(values) < 6 or len(values) % 2:
        raise DataError(
            f"{where}: four numbers (a box) or an even number from six up (an outline) were wanted, got {len(values)}"
        )
    outline = [value * (width if place % 2 == 0 else height) for place, value in enumerate(values)]
    across, down = outline[::2], outline[1::2]
    box = (min(across), min(down), max(across), max(down))
    return Truth(name, checked_box(box, size, where), mask=filled([outline], size, where))
