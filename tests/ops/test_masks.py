"""Masks: random ones have the mean and variance that are stated, everywhere; planned ones are balanced; windows cover."""

from itertools import islice

import pytest
import torch

from seewhy.errors import ConfigError
from seewhy.ops.masks import (
    _hats,
    balanced_cells,
    cell_masks,
    channel_mask,
    covering,
    mask_variance,
    of_channels,
    per_axis,
    random_masks,
    sobol_pairs,
    strongest,
    window_starts,
)


@pytest.mark.parametrize(
    ("size", "cells", "keep"), [((11,), (3,), 0.5), ((9, 12), (4, 3), 0.3), ((3, 6, 5), (2, 3, 2), 0.6)]
)
def test_each_pixel_of_a_random_mask_has_the_stated_mean_and_variance(size, cells, keep):
    masks = random_masks(size, cells, keep, torch.Generator().manual_seed(0))
    drawn = torch.cat([next(masks) for _ in range(6000)])
    expected = mask_variance(keep, len(size))
    assert drawn.min() >= 0 and drawn.max() <= 1 + 1e-12
    torch.testing.assert_close(drawn.mean(dim=0), torch.full(size, keep).double(), rtol=0, atol=0.025)
    torch.testing.assert_close(drawn.var(dim=0), torch.full(size, expected).double(), rtol=0.12, atol=0)


def test_interpolation_gives_a_straight_line_back():
    """Nodes that rise by one each give the place of each pixel in cells, from half a pixel on, plus the shift."""
    nodes = torch.arange(5, dtype=torch.float64)
    found = _hats(6, 3, 0.25) @ nodes
    torch.testing.assert_close(found, torch.tensor([0.25, 0.75, 1.25, 1.75, 2.25, 2.75]).double() + 0.25)


def test_each_cell_is_shown_in_the_same_number_of_masks():
    plan = balanced_cells(40, 9, 0.3, torch.Generator().manual_seed(0))
    assert set(plan.unique().tolist()) == {0.0, 1.0}
    assert (plan.sum(dim=0) == 12).all()
    assert len({tuple(column.tolist()) for column in plan.T}) == 9


def test_even_extreme_shares_show_and_hide_each_cell():
    plan = balanced_cells(4, 3, 0.01, torch.Generator().manual_seed(0))
    assert (plan.sum(dim=0) == 1).all()


def test_sobol_designs_fill_each_axis_evenly():
    """Of 2^m points of a scrambled Sobol sequence one lies in each 2^m-th of every axis (Owen 1998)."""
    pairs = islice(sobol_pairs(50, torch.Generator().manual_seed(0)), 32)
    for part in map(torch.stack, zip(*pairs, strict=True)):
        bins = (part * 32).long().sort(dim=0).values
        assert torch.equal(bins, torch.arange(32)[:, None].expand(32, 50))


def test_more_cells_than_a_sobol_sequence_has_axes_are_refused():
    with pytest.raises(ConfigError, match="at most 10600 cells, got 20000"):
        next(sobol_pairs(20000, torch.Generator()))


def test_cells_are_interpolated_between_their_centres():
    [mask] = cell_masks([torch.tensor([0.0, 1.0])], (1, 2), (2, 4))
    torch.testing.assert_close(mask, torch.tensor([0.0, 0.25, 0.75, 1.0]).expand(1, 2, 4))


def test_a_channel_becomes_a_mask_from_0_to_1_and_a_constant_one_becomes_0():
    maps = torch.stack([torch.tensor([[-3.0, 1.0], [0.0, 5.0]]), torch.full((2, 2), 7.0)])
    mask = channel_mask(maps, (2, 2))
    torch.testing.assert_close(mask[0], torch.tensor([[0.0, 0.5], [0.375, 1.0]]))
    assert not mask[1].any()
    assert channel_mask(maps, (5, 5))[0].min() == 0 and channel_mask(maps, (5, 5))[0].max() == 1


@pytest.mark.parametrize(
    ("length", "window", "stride", "starts", "cover"),
    [
        (8, 4, 2, [0, 2, 4], [0, 4]),
        (9, 4, 2, [0, 2, 4, 5], [0, 4, 5]),
        (8, 8, 3, [0], [0]),
        (10, 3, 2, [0, 2, 4, 6, 7], [0, 2, 4, 7]),
        (7, 3, 3, [0, 3, 4], [0, 3, 4]),
    ],
)
def test_windows_reach_the_border_and_a_few_of_them_cover_all(length, window, stride, starts, cover):
    assert window_starts(length, window, stride) == starts
    assert covering(starts, window) == cover
    assert {place for start in cover for place in range(start, start + window)} == set(range(length))


def test_the_strongest_channels_come_in_their_order_and_equals_by_number():
    strength = torch.tensor([[1.0, 5.0, 3.0, 5.0], [2.0, 2.0, 2.0, 2.0]])
    chosen = strongest(strength, 2)
    assert chosen.tolist() == [[1, 3], [0, 1]]
    assert strongest(strength, 9).tolist() == [[0, 1, 2, 3]] * 2
    activation = torch.arange(16.0).view(2, 4, 1, 2)
    assert of_channels(activation, chosen).flatten(2).tolist() == [[[2, 3], [6, 7]], [[8, 9], [10, 11]]]


def test_a_setting_for_each_axis_must_fit_the_axes():
    assert per_axis(3, 2, "window") == (3, 3)
    assert per_axis((1, 2), 2, "window") == (1, 2)
    with pytest.raises(ConfigError, match=r"window wants one number, or one for each of the 3 axes .* got \(1, 2\)"):
        per_axis((1, 2), 3, "window")
