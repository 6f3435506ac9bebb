"""Contact sheets: every picture is there, in its place, with its proportions."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import ConfigError
from seewhy.render import contact
from seewhy.render.text import PAPER

COLOURS = [(220, 20, 20), (20, 200, 20), (20, 20, 220), (200, 200, 20), (20, 200, 200)]


def boxes(sheet: Image.Image) -> list[tuple[int, int, int, int]]:
    """Where each colour lies: (left, top, right, bottom)."""
    pixels = np.asarray(sheet)
    found = []
    for colour in COLOURS:
        rows, columns = np.nonzero((pixels == colour).all(axis=-1))
        found.append((int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1))
    return found


def test_pictures_stand_row_by_row_at_the_size_of_their_cells() -> None:
    cells = [(Image.new("RGB", (30, 30), colour), ["name"]) for colour in COLOURS]
    found = boxes(contact(cells, columns=3, cell=(60, 60)))
    assert [(right - left, bottom - top) for left, top, right, bottom in found] == [(60, 60)] * 5
    assert len({top for _, top, _, _ in found[:3]}) == 1
    assert found[0][0] < found[1][0] < found[2][0]
    assert found[3][1] == found[4][1] >= found[0][3]
    assert [found[3][0], found[4][0]] == [found[0][0], found[1][0]]


def test_a_picture_keeps_its_proportions() -> None:
    cells = [(Image.new("RGB", (40, 10), COLOURS[0]), []), *((Image.new("RGB", (9, 9), c), []) for c in COLOURS[1:])]
    left, top, right, bottom = boxes(contact(cells, columns=5, cell=(80, 80)))[0]
    assert (right - left, bottom - top) == (80, 20)


def test_words_stand_under_their_picture() -> None:
    cells = [(Image.new("RGB", (50, 50), colour), ["one", "two"] if n == 1 else []) for n, colour in enumerate(COLOURS)]
    sheet = contact(cells, columns=5, cell=(50, 50))
    pixels = np.asarray(sheet)
    inked = [
        bool((np.abs(pixels[bottom:, left:right].astype(int) - PAPER) > 60).any())
        for left, _, right, bottom in boxes(sheet)
    ]
    assert inked == [False, True, False, False, False]


def test_a_sheet_without_pictures_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one picture"):
        contact([])
    with pytest.raises(ConfigError, match="at least one column"):
        contact([(Image.new("RGB", (3, 3)), [])], columns=0)
