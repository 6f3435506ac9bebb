"""The line encloses exactly the strongest fifth."""

import numpy as np
import pytest

from seewhy.errors import ConfigError
from seewhy.render.outline import contours, strongest
from seewhy.render.scene import MOST_PIECES, around_strongest, resample


def smooth(height: int = 61, width: int = 83, seed: int = 0) -> np.ndarray:
    return resample(np.random.default_rng(seed).random((7, 7)), (width, height))


def enclosed(loops: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Even-odd count of the lines to the left of each cell centre: an oracle that shares nothing with the tracing."""
    rows, columns = np.indices(shape) + 0.5
    crossings = np.zeros(shape, dtype=int)
    for loop in loops:
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            spans = (np.minimum(y0, y1) <= rows) & (rows < np.maximum(y0, y1))
            crossings += spans & (x0 + (rows - y0) / (y1 - y0) * (x1 - x0) < columns)
    return crossings % 2 == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_line_encloses_exactly_the_strongest_fifth(seed):
    values = smooth(seed=seed)
    inside = enclosed(contours(strongest(values, 0.2), values), values.shape)
    assert inside.sum() == round(0.2 * values.size)
    assert values[inside].min() >= values[~inside].max()


def test_the_line_encloses_any_area_also_with_holes_corners_and_the_border():
    area = np.random.default_rng(1).random((23, 31)) > 0.5
    assert (enclosed(contours(area), area.shape) == area).all()


def test_a_single_cell_is_a_diamond_around_its_centre():
    area = np.zeros((3, 3), dtype=bool)
    area[1, 1] = True
    [loop] = contours(area)
    assert sorted(map(tuple, loop.tolist())) == [(1.0, 1.5), (1.5, 1.0), (1.5, 2.0), (2.0, 1.5)]


def test_the_line_lies_where_the_values_cross_the_level():
    """On a ramp in x the line is upright, between the last column outside and the first inside."""
    values = np.broadcast_to(np.linspace(1.0, 10.0, 10), (6, 10)).copy()
    [loop] = contours(strongest(values, 0.5), values)
    left = loop[(loop[:, 0] < 6) & (loop[:, 1] > 0.5) & (loop[:, 1] < 5.5)]
    assert len(left) == 4
    np.testing.assert_allclose(left[:, 0], 5.0)  # level 5.5, halfway between the centres of columns 4 and 5


def test_only_seen_and_positive_cells_count():
    values = np.array([[np.nan, 3.0, -1.0, 0.0], [np.nan, 2.0, 1.0, -5.0]])
    assert strongest(values, 0.5).tolist() == [[False, True, False, False], [False, True, True, False]]
    assert strongest(values, 1.0).sum() == 3
    assert not strongest(-np.abs(values), 0.5).any()


def test_ties_are_broken_by_position_so_the_count_is_exact():
    assert strongest(np.ones((10, 10)), 0.2).ravel().nonzero()[0].tolist() == list(range(20))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, np.nan])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ConfigError, match="share"):
        strongest(np.ones((2, 2)), share)


def test_nothing_marked_no_line():
    assert contours(np.zeros((4, 4), dtype=bool)) == []


def test_confetti_is_told_apart_from_a_map_without_evidence():
    assert around_strongest(np.random.default_rng(0).random((80, 80)), 0.2) is None
    assert around_strongest(np.zeros((80, 80)), 0.2) == []
    assert 0 < len(around_strongest(smooth(), 0.2)) <= MOST_PIECES
