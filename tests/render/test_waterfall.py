"""A sum in bars: each begins where the one before it ends, the last is the total, and bars lie where the scale says."""

import numpy as np
import pytest

from seewhy.errors import ShapeError
from seewhy.render.chart import Scale, sign_colours
from seewhy.render.text import SOFT
from seewhy.render.waterfall import Step, summed, waterfall

SCALE = Scale(((-2.0, "-2"), (0.0, "0"), (4.0, "4")))


def test_steps_add_up():
    steps = summed(("start", 1.0), [("a", 2.5), ("b", -1.25)], "total")
    assert [(step.begin, step.end) for step in steps] == [(0, 1), (1, 3.5), (3.5, 2.25), (0, 2.25)]
    assert [step.value for step in steps] == [1, 2.5, -1.25, 2.25]
    assert [step.total for step in steps] == [True, False, False, True]


def test_bars_lie_on_the_scale():
    steps = summed(("s", 1.0), [("a", 2.0), ("b", -4.0)], "t")
    pixels = np.asarray(waterfall(steps, SCALE, width=700))
    against, favour = sign_colours()
    spans = {}
    for name, colour in (("for", favour), ("against", against)):
        _, columns = np.nonzero((pixels == colour).all(axis=2))
        spans[name] = columns.min(), columns.max()
    one = (spans["for"][1] - spans["for"][0]) / 2  # pixels of 1, as `a` is from 1 to 3
    assert spans["against"][1] == pytest.approx(spans["for"][1], abs=1)  # `b` begins where `a` ends
    assert (spans["against"][1] - spans["against"][0]) / 4 == pytest.approx(one, abs=1)


def test_totals_have_a_colour_of_their_own():
    pixels = np.asarray(waterfall([Step("t", 0.0, 3.0, total=True)], SCALE, width=700))
    assert (pixels == SOFT).all(axis=2).sum() > 1000


def test_nothing_to_draw_is_refused():
    with pytest.raises(ShapeError, match="at least one term"):
        waterfall([], SCALE)
