"""Rows of small pictures: each cell shows its picture, and sentences stand where there is none."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import ConfigError
from seewhy.render.strips import Group, Strip, fitted, strips
from seewhy.render.text import PAPER


def plain(colour, size=(30, 20)):
    return Image.new("RGB", size, colour)


def places(sheet, colour):
    """Return the box of the pixels of a colour."""
    mask = (np.asarray(sheet) == colour).all(axis=2)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1, int(mask.sum())


def test_cells_stand_side_by_side_and_rows_one_under_another():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    first, second = (
        Strip(name, [(plain(colour), "1.5") for colour in row])
        for name, row in (("a", colours[:2]), ("b", colours[2:]))
    )
    sheet = strips([Group("channel 3", [first, second])], cell=60)
    red, green, blue = (places(sheet, colour) for colour in colours)
    assert (red[2] - red[0], red[3] - red[1], red[4]) == (60, 40, 2400)  # as large as the cell allows, whole
    assert green[0] - red[0] == 68
    assert green[1] == red[1]
    assert blue[0] == red[0]
    assert blue[1] > red[3]


def test_a_sentence_takes_the_place_of_pictures():
    short = strips([Group("channel 3", [Strip("a", instead="nothing")])], cell=60)
    tall = strips([Group("channel 3", [Strip("a", [(plain((200, 0, 0)), "1")])])], cell=60)
    assert short.height < tall.height - 30
    assert (np.asarray(short) != PAPER).any()


def test_wide_and_high_pictures_fit_the_square():
    assert fitted(plain((0, 0, 0), (300, 100)), 60).size == (60, 20)
    assert fitted(plain((0, 0, 0), (1, 4)), 60).size == (15, 60)


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="at least one group"):
        strips([])
