"""Columns become numbers or levels, or say why they say nothing."""

import numpy as np
import pytest

from seewhy.contributions.attribute import LEAST, MISSING, MOST_LEVELS, OTHERS, attribute
from seewhy.data.table import Column


def column(*cells):
    return Column("site", tuple(map(str, cells)))


def test_words_are_levels_and_what_is_missing_is_one():
    made = attribute(column(*["b"] * 6, *["a"] * 7, *[""] * 5))
    assert made.levels == (MISSING, "a", "b")
    assert np.bincount(made.codes).tolist() == [5, 7, 6]
    assert made.numbers is None
    np.testing.assert_array_equal(made.features.sum(0), [5, 7, 6])


def test_rare_levels_are_put_together():
    made = attribute(column(*["a"] * 9, *"bcdefg"))
    assert made.levels == ("a", OTHERS)
    assert np.bincount(made.codes).tolist() == [9, 6]
    assert "6 rare levels" in made.note


def test_at_most_so_many_levels():
    cells = [f"level {number:02d}" for number in range(MOST_LEVELS + 4) for _ in range(LEAST)]
    made = attribute(column(*cells))
    assert len(made.levels) == MOST_LEVELS + 1
    assert np.bincount(made.codes)[made.levels.index(OTHERS)] == 4 * LEAST


def test_numbers_are_cut_into_quarters_and_missing_ones_stand_apart():
    made = attribute(column(*range(40), *[""] * 6))
    assert made.levels == ("0 to 9", "10 to 19", "20 to 29", "30 to 39", MISSING)
    assert np.bincount(made.codes).tolist() == [10, 10, 10, 10, 6]
    value, gone = made.features.T
    assert value[:40].mean() == pytest.approx(0)
    assert value[:40].std() == pytest.approx(1)
    assert value[40:].tolist() == [0] * 6
    assert gone.tolist() == [0] * 40 + [1] * 6
    assert made.note == "missing for 6 pictures"


def test_ties_make_fewer_quarters_and_lose_nobody():
    made = attribute(column(*[0] * 60, *range(1, 21)))
    assert made.levels[0].startswith("0")
    assert np.bincount(made.codes).sum() == 80
    assert len(set(made.codes.tolist())) == len(made.levels)


def test_few_different_numbers_are_levels():
    assert attribute(column(*[1, 2, 3] * 6)).numbers is None
    assert attribute(column(*range(9), *range(9))).numbers is not None


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["x"] * 20, "it is 'x' for every picture"),
        ([""] * 20, "it is empty"),
        ([f"id {number}" for number in range(20)], "no two of its 20 levels"),
        ([*["x"] * 17, "y", "y", "z"], "no two of its 3 levels"),
    ],
)
def test_columns_that_say_nothing_say_why(cells, why):
    assert why in attribute(column(*cells))


def test_some_of_the_pictures():
    made = attribute(column(*range(40)))
    part = made.of(np.array([3, 39]))
    assert part.numbers.tolist() == [3, 39]
    assert [part.levels[code] for code in part.codes] == ["0 to 9", "30 to 39"]
