"""The figure shows what the overlay shows, and leaves pyplot alone."""

import sys

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import MissingExtra
from seewhy.render.figure import figure

pytest.importorskip("matplotlib")
PHOTO = Image.new("RGB", (60, 40), (90, 90, 90))
BLOB = np.exp(-((np.mgrid[:7, :7] - 3) ** 2).sum(axis=0) / 4)


def test_bar_title_and_outline():
    made = figure(
        PHOTO, BLOB - 0.2, signed=True, title="why $x$ <b>?", unit="logit", limit=0.5, normalization="the shared limit"
    )
    axes, bar = made.axes
    assert axes.get_title(loc="left") == "why $x$ <b>?"
    assert [tick.get_text() for tick in bar.get_xticklabels()] == ["-0.5", "0", "0.5"]
    assert bar.get_xlabel() == "evidence (logit); the scale ends at the shared limit"
    assert len(axes.lines) == 2  # one loop, its dark edge and its white core
    made.canvas.draw()


def test_a_map_without_evidence_has_no_line_and_says_so():
    axes, bar = figure(PHOTO, np.zeros((7, 7)), signed=False).axes
    assert not axes.lines
    assert bar.get_xlabel() == "no evidence: the map is zero everywhere"


def test_no_state_of_pyplot_is_touched():
    before = "matplotlib.pyplot" in sys.modules
    figure(PHOTO, BLOB, signed=False)
    if before:
        import matplotlib.pyplot as plt

        assert plt.get_fignums() == []
    else:
        assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra):
        figure(PHOTO, BLOB, signed=False)
