"""Total variation and contrast by pencil."""

import pytest
import torch

from seewhy.visualization.regular import contrast, total_variation


def test_total_variation_of_a_step_edge():
    picture = torch.zeros(1, 5, 8)
    picture[:, :, 3:] = 0.6
    assert float(total_variation(picture)) == pytest.approx(0.6 / 8)
    assert float(total_variation(picture.transpose(1, 2))) == pytest.approx(0.6 / 8)


def test_total_variation_of_a_single_pixel_counts_its_four_neighbours():
    picture = torch.zeros(3, 5, 5)
    picture[1, 2, 2] = 1.0
    assert float(total_variation(picture)) == pytest.approx(4 / 75)


def test_contrast_is_0_for_grey_and_a_quarter_for_black_and_white():
    assert float(contrast(torch.full((3, 4, 4), 0.5))) == 0
    assert float(contrast(torch.eye(4)[None])) == 0.25
