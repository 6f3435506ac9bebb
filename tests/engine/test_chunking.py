"""The number of rows in a pass is measured: doubled while that saves, and a disturbed first measurement misleads nobody."""

import pytest

from seewhy.engine.chunking import MOST_ROWS, Tuner


def settled(seconds_per_row: dict[int, float], least: int = 1) -> int:
    """Return the number of rows at which the tuner settles where passes take so long."""
    tuner = Tuner()
    for _ in range(10):
        rows = tuner.rows("kind", least)
        tuner.saw("kind", rows, rows * seconds_per_row[rows])
    return tuner.rows("kind", least)


@pytest.mark.parametrize(
    ("seconds_per_row", "best"),
    [
        ({1: 10, 2: 8, 4: 6, 8: 5, 16: 5.5}, 8),
        ({1: 10, 2: 8, 4: 6, 8: 5.9}, 8),  # hardly better, so nothing larger is tried
        ({1: 16.5, 2: 21.4, 4: 9, 8: 8.6, 16: 9.2}, 8),  # the second was disturbed
        ({1: 10, 2: 11, 4: 12}, 1),
        ({1: 10, 2: 9, 4: 12}, 2),
        ({2**n: 2.0**-n for n in range(8)}, MOST_ROWS),
    ],
)
def test_where_it_settles(seconds_per_row, best):
    assert settled(seconds_per_row) == best


def test_it_may_begin_with_more():
    assert settled({16: 3, 32: 4}, least=16) == 16


def test_each_kind_is_measured_on_its_own():
    tuner = Tuner()
    tuner.saw("a", 1, 1.0)
    assert (tuner.rows("a"), tuner.rows("b")) == (2, 1)
