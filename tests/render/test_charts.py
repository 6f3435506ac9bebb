"""Charts: known values stand at the pixels that their scale says."""

import numpy as np
import pytest

from seewhy.errors import ShapeError
from seewhy.render.bars import Bars, bars, plot_box
from seewhy.render.chart import GAP, ROW, Scale, sign_colours
from seewhy.render.curves import Line, curves
from seewhy.render.heat_table import heat_table

SCALE = Scale(((-1.0, "-1"), (0.0, "0"), (1.0, "1"), (2.0, "2")))
RED = (200, 20, 20)


def near(pixels, colour, reach=12):
    return np.abs(pixels.astype(int) - colour).max(axis=-1) <= reach


def test_a_scale_is_linear_and_ends_at_its_ends():
    assert SCALE.at(0.5, 10, 300) == pytest.approx(160)
    assert SCALE.at(-9, 10, 300) == 10
    assert SCALE.at(9, 10, 300) == 310
    assert SCALE.at(2, 300, -300) == 0


def test_bars_are_as_long_as_their_values_and_begin_at_zero():
    values, texts = [1.5, -0.5, 0.0], ["", "", ""]
    drawn = np.asarray(bars(["a", "b", "c"], [Bars("", values, values, values, texts, SCALE)], width=800))
    against, favour = sign_colours()
    begin, length = plot_box(90, 710 - GAP, texts)
    for colour, low, high in ((favour, 0.0, 1.5), (against, -0.5, 0.0)):
        rows, columns = np.nonzero(near(drawn, colour, 2))
        assert np.ptp(rows) + 1 == 13
        assert columns.min() == pytest.approx(SCALE.at(low, begin, length), abs=1.5)
        assert columns.max() == pytest.approx(SCALE.at(high, begin, length), abs=1.5)


def test_intervals_reach_from_low_to_high():
    drawn = np.asarray(bars(["a"], [Bars("", [0.0], [-0.75], [1.25], [""], SCALE)], width=800))
    begin, length = plot_box(90, 710 - GAP, [""])
    dark = near(drawn, (29, 28, 26), 3)
    dark[:, :100] = False
    row = int(np.argmax(dark.sum(axis=1)))
    [columns] = np.nonzero(dark[row])
    assert columns.min() == pytest.approx(SCALE.at(-0.75, begin, length), abs=2)
    assert columns.max() == pytest.approx(SCALE.at(1.25, begin, length), abs=2)


def test_every_name_has_a_row_of_its_own():
    few, more = (
        bars(list("abcdefgh")[:n], [Bars("", [1.0] * n, [1.0] * n, [1.0] * n, [""] * n, SCALE)]) for n in (3, 7)
    )
    assert more.height - few.height == 4 * ROW


def test_curves_pass_through_their_points():
    x, y = [0.0, 5.0, 10.0], [1.0, 0.25, 0.0]
    across, up = Scale(((0.0, "0"), (10.0, "10"))), Scale(((0.0, "0"), (1.0, "1")))
    drawn = np.asarray(curves([Line("", x, y, y, y, RED)], across, up, labels=("", ""), width=800, height=340))
    line = near(drawn, RED, 60)
    line[:, 720:] = False  # the key
    rows, columns = np.nonzero(line)
    assert columns.min() == pytest.approx(64, abs=2)
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    middle = rows[columns == round((left + right) / 2)].mean()
    assert (bottom - middle) / (bottom - top) == pytest.approx(0.25, abs=0.02)
    assert rows[columns == left + 1].mean() == pytest.approx(top, abs=4)


def test_a_dashed_line_has_gaps_and_a_band_is_faint():
    across, up = Scale(((0.0, "0"), (1.0, "1"))), Scale(((0.0, "0"), (1.0, "1")))
    flat = Line("", [0.0, 1.0], [0.5, 0.5], [0.3, 0.3], [0.7, 0.7], RED)
    dashed = Line("", [0.0, 1.0], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5], RED, dashed=True)
    whole, parts = (
        near(np.asarray(curves([line], across, up, labels=("", ""), width=800)), RED, 60)[:, :700].sum()
        for line in (flat, dashed)
    )
    assert 0.35 * whole < parts < 0.65 * whole
    picture = np.asarray(curves([flat], across, up, labels=("", ""), width=800))
    faint = near(picture, np.array(RED) * (52 / 255) + np.array([251, 250, 248]) * (203 / 255), 4)
    share = faint[:, 300].sum() / (340 - 2 * 17 - 2 * 10 - 17)
    assert 0.3 < share < 0.45


def test_cells_are_orange_above_zero_and_purple_below_and_empty_ones_paper():
    values = np.array([[1.0, -1.0, np.nan]])
    drawn = np.asarray(heat_table(["a"], ["x", "y", "z"], values, [["", "", ""]], limit=1.0, width=600))
    against, favour = sign_colours()
    assert near(drawn, favour, 30).sum() > 1500
    assert near(drawn, against, 30).sum() > 1500
    assert near(drawn, favour, 30).sum() == pytest.approx(near(drawn, against, 30).sum(), rel=0.02)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ShapeError, match="2 names"):
        bars(["a", "b"], [Bars("", [1.0], [1.0], [1.0], [""], SCALE)])
    with pytest.raises(ShapeError, match="curve"):
        curves([], SCALE, SCALE, labels=("", ""))
    with pytest.raises(ShapeError, match="table"):
        heat_table(["a"], ["x"], np.zeros((2, 2)), [[""]], limit=1.0)
