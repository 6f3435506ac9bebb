"""The words under a map are true of this map."""

import sys

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import ShapeError
from seewhy.render.bar import figures, percent, remark
from seewhy.render.grid import grid
from seewhy.render.overlay import _ends, overlay
from seewhy.render.scene import resample
from seewhy.render.text import PAPER, face, legible, panel, wrap

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
BLOB = np.exp(-((np.mgrid[:7, :7] - 3) ** 2).sum(axis=0) / 4)


@pytest.fixture
def words(monkeypatch):
    """Every line that is written on a picture, as it was asked for."""
    written: list[str] = []
    original = panel

    def listening(lines, width, margin, limit=3):
        written.extend(text for text, _, _ in lines)
        return original(lines, width, margin, limit)

    for module in ("bar", "overlay"):
        monkeypatch.setattr(sys.modules[f"seewhy.render.{module}"], "panel", listening)
    return written


def test_the_bar_names_unit_normalization_and_outline(words):
    overlay(
        PHOTO, BLOB, signed=False, title="why?", unit="logit", normalization="the shared maximum", notes=("one more",)
    )
    assert words == [
        "why?",
        "evidence (logit); the scale ends at the shared maximum",
        "outlined: the strongest 20 % of the seen area",
        "one more",
    ]


def test_a_given_limit_is_not_called_the_maximum(words):
    overlay(PHOTO, BLOB, signed=False, limit=0.25)
    assert "evidence; the scale ends at a limit that was given" in words


def test_a_map_without_evidence_is_the_grey_photo_and_says_so(words):
    drawn = overlay(PHOTO, np.zeros((7, 7)), signed=False)
    assert words[1:] == ["no evidence: the map is zero everywhere"]
    assert np.ptp(np.asarray(drawn)[: round(480 * 40 / 60)].astype(int), axis=2).max() == 0  # not one coloured pixel


def test_a_map_that_only_speaks_against_says_so_and_has_no_outline(words):
    overlay(PHOTO, -BLOB, signed=True)
    assert words[1] == "nothing speaks for it: the map has no positive value"
    assert not any("outlined" in line for line in words)


def test_unseen_margins_and_small_areas_are_named(words):
    values = np.full((40, 60), np.nan)
    values[:, 10:50] = 0
    values[10:14, 20:30] = 1.0
    overlay(PHOTO.resize((600, 400)), values, signed=False)
    [line] = [line for line in words if line.startswith("outlined")]
    share = float(line.rpartition(", ")[2].partition(" %")[0])
    assert share == pytest.approx(100 * 40 / 1600, abs=0.9)  # interpolation adds a rim of less than a cell
    assert "hatched: not seen by the network" in words


def test_confetti_gets_no_outline_and_a_reason(words):
    noise = np.abs(np.random.default_rng(0).normal(size=(224, 224)))
    overlay(PHOTO, noise, signed=False)
    assert words[2].startswith("no outline: the strongest 20 % of the seen area is scattered")


@pytest.mark.parametrize("size", [(32, 32), (1, 1), (3000, 20), (20, 3000), (4000, 3000)])
def test_any_picture_becomes_one_of_readable_size(size):
    drawn = overlay(Image.new("RGB", size), BLOB, signed=True, title="why " + "a" * 300)
    assert 420 <= drawn.width <= 900
    assert drawn.height < 1300


def test_values_beyond_the_limit_are_marked_at_the_end_of_the_bar():
    assert _ends(np.array([[2.0]]), 1.0, signed=False)[2] == "≥ 1"
    assert _ends(np.array([[-2.0, 0.5]]), 1.0, signed=True) == ("≤ -1  against", "0", "for  1")


@pytest.mark.parametrize(
    ("values", "signed", "expected"),
    [
        ([[0.0, np.nan]], True, "zero everywhere"),
        ([[-1.0, 0.0]], True, "no positive value"),
        ([[-1.0, 0.0]], False, "nowhere above zero"),
        ([[-1.0, 1.0]], True, None),
        ([[1e-12, 0.0]], False, None),
    ],
)
def test_remarks(values, signed, expected):
    said = remark(np.array(values), signed=signed)
    assert expected in said if expected else said == ""


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.2, "20 %"),
        (0.996, "over 99 %"),
        (0.034, "3.4 %"),
        (0.0004, "under 0.1 %"),
        (0.0999, "10 %"),
    ],
)
def test_percent_rounds_nothing_to_all_or_none(share, text):
    assert percent(share) == text


def test_figures():
    assert [figures(value) for value in (0.0, -0.0, 0.40512, -1.5, 12345.6, 1.23e-7)] == [
        "0",
        "0",
        "0.405",
        "-1.5",
        "1.23e+04",
        "1.23e-07",
    ]


def test_text_is_legible_in_the_built_in_font():
    font = face(14)
    assert legible("naïve Straße – 3×4 ≥ 2\x00\u202e", font) == "naive Strasse - 3x4 >= 2"
    assert legible("猫", font) == "?"


def test_lines_fit_and_the_last_one_says_that_words_are_missing():
    font = face(14)
    lines = wrap("one " + "w" * 80 + " three four five six seven", font, 100, lines=3)
    assert len(lines) == 3
    assert all(font.getlength(line) <= 100 for line in lines)
    assert lines[-1].endswith("…")
    assert wrap("", font, 100) == []


class TestGrid:
    rows = (("first", (BLOB, 0.5 * BLOB)), ("second", (BLOB - 0.5, np.zeros((7, 7)))))

    def cells(self, drawn: Image.Image, first: int, size: tuple[int, int]) -> np.ndarray:
        return np.asarray(drawn.crop((first, 0, first + size[0], drawn.height)), dtype=int)

    def test_one_scale_within_a_row_none_between_rows(self):
        """A row looks the same when all its maps are multiplied; halving one map of it makes that one paler."""
        before = np.asarray(grid(PHOTO, self.rows, ["a", "b"], signed=[False, True]))
        louder = (("first", (10 * BLOB, 5 * BLOB)), self.rows[1])
        assert (np.asarray(grid(PHOTO, louder, ["a", "b"], signed=[False, True])) == before).all()
        paler = (("first", (BLOB, 0.25 * BLOB)), self.rows[1])
        changed = (
            (np.asarray(grid(PHOTO, paler, ["a", "b"], signed=[False, True])) != before).any(axis=(0, 2)).nonzero()[0]
        )
        assert changed.min() > before.shape[1] * 0.6  # only the last column

    def test_bars_name_the_share_once_for_each_kind(self, words, monkeypatch):
        grid(PHOTO, self.rows, ["a", "b"], signed=[False, True])
        notes = [line for line in words if "share of the method's 99th percentile over these classes" in line]
        assert notes == [
            f"{kind} methods: share of the method's 99th percentile over these classes"
            for kind in ("unsigned", "signed")
        ]
        words.clear()
        grid(PHOTO, self.rows[:1], ["a", "b"], signed=[False])
        assert len(words) == 1

    @pytest.mark.parametrize(
        ("columns", "signed"), [(["a"], [False, True]), (["a", "b"], [False]), ([], [False, True])]
    )
    def test_maps_that_do_not_fill_the_grid_are_refused(self, columns, signed):
        with pytest.raises(ShapeError, match="columns"):
            grid(PHOTO, self.rows, columns, signed=signed)

    def test_many_columns_stay_on_one_page_and_paper_is_everywhere_else(self):
        drawn = grid(PHOTO, [("m", [BLOB] * 10)], [f"class {n}" for n in range(10)], signed=[False])
        assert drawn.width < 2000
        assert drawn.getpixel((0, drawn.height - 1)) == PAPER


def test_a_map_at_drawing_resolution_gives_the_same_picture_as_its_source():
    fine = resample(BLOB, (480, 320))
    pictures = [overlay(PHOTO, values, signed=False, limit=1.0).tobytes() for values in (BLOB, fine)]
    assert pictures[0] == pictures[1]
