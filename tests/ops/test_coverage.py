"""Areas on another grid: shares by pencil, mass kept, small areas not lost."""

import pytest
import torch

from seewhy.ops.coverage import covered, onto


def test_a_piece_of_a_line_covers_shares_of_cells():
    # four cells of 2 from 1 to 9; the piece 2 to 6 covers half, all, half, none
    torch.testing.assert_close(covered(4, 1, 9, 2, 6), torch.tensor([0.5, 1.0, 0.5, 0.0]))


def test_one_pixel_of_a_large_mask_is_not_lost_on_a_coarse_grid():
    mask = torch.zeros(100, 60)
    mask[71, 13] = 1
    coarse = onto(mask, (10, 6))
    assert coarse[7, 1] == pytest.approx(0.01) and coarse.count_nonzero() == 1


@pytest.mark.parametrize("size", [(3, 5), (7, 4), (8, 12), (16, 24)])
def test_the_covered_area_is_kept_whatever_the_grid(size):
    mask = (torch.rand(8, 12, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    assert float(onto(mask, size).mean()) == pytest.approx(float(mask.mean()), abs=1e-6)


def test_a_window_beyond_the_picture_is_not_covered_there():
    mask = torch.ones(4, 4)
    made = onto(mask, (8, 4), ((-2.0, 6.0), (0.0, 4.0)))  # a letterbox: two rows above, two below
    torch.testing.assert_close(made[:, 0], torch.tensor([0.0, 0, 1, 1, 1, 1, 0, 0]))


def test_a_volume_is_taken_over_axis_by_axis():
    mask = torch.zeros(4, 4, 4)
    mask[:2, 2:, :2] = 1
    torch.testing.assert_close(onto(mask, (2, 2, 2)), torch.tensor([[[0.0, 0], [1, 0]], [[0, 0], [0, 0]]]))
