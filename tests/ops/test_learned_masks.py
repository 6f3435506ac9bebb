import math

import pytest
import torch

from seewhy.ops.learned_masks import area_loss, cells_of, gauss_enlarged, max_spread, smooth_max, variation


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestCells:
    @pytest.mark.parametrize(
        ("size", "cells", "expected"),
        [
            ((224, 224), 28, (28, 28)),
            ((224, 448), 28, (28, 56)),
            ((8, 8), 28, (8, 8)),
            ((3, 300), 1, (1, 100)),
            ((16, 224, 448), 28, (16, 28, 56)),
            ((64, 224, 224), 28, (28, 28, 28)),
        ],
    )
    def test_cells_are_square_and_no_finer_than_pixels(self, size, cells, expected):
        assert cells_of(size, cells) == expected


class TestEnlarging:
    def test_a_constant_stays_constant_up_to_the_border(self):
        found = gauss_enlarged(torch.full((2, 5, 7), 0.3, dtype=torch.float64), (40, 21), 0.6)
        torch.testing.assert_close(found, torch.full((2, 40, 21), 0.3, dtype=torch.float64))

    def test_by_the_sum_over_all_cells(self):
        """One pixel, as the formula says it: weights exp(-|u - v|^2 / (2 sigma^2)) over both axes at once, normalized."""
        masks, sigma = drawn(1, 4, 3), 0.7
        row, column = (5 + 0.5) * 4 / 12 - 0.5, (2 + 0.5) * 3 / 9 - 0.5
        weights = torch.tensor(
            [[math.exp(-((row - i) ** 2 + (column - j) ** 2) / (2 * sigma**2)) for j in range(3)] for i in range(4)],
            dtype=torch.float64,
        )
        expected = (weights * masks[0]).sum() / weights.sum()
        torch.testing.assert_close(gauss_enlarged(masks, (12, 9), sigma)[0, 5, 2], expected)

    def test_clips_are_enlarged_along_every_axis(self):
        masks = torch.zeros(1, 2, 3, 3, dtype=torch.float64)
        masks[0, 1] = 1
        found = gauss_enlarged(masks, (8, 6, 6), 0.3)
        assert found[0, 7].min() > 0.99 and found[0, 0].max() < 0.01


class TestSmoothMax:
    def test_between_the_mean_and_the_maximum(self):
        values = drawn(6, 9)
        torch.testing.assert_close(smooth_max(values, 1e-5), values.amax(dim=1))
        torch.testing.assert_close(smooth_max(values, 1e6), values.mean(dim=1), rtol=1e-5, atol=0)

    def test_two_values_by_hand(self):
        """Of 0 and 1 at T = 1: e / (1 + e)."""
        found = smooth_max(torch.tensor([0.0, 1.0], dtype=torch.float64), 1.0)
        assert float(found) == pytest.approx(math.e / (1 + math.e))


class TestSpreading:
    def test_axis_by_axis_is_the_maximum_over_hills_in_the_plane(self):
        """With a cold temperature: max over v of exp(-|u - v|^2 / (2 sigma^2)) m(v), by brute force."""
        masks, sigma = drawn(2, 5, 6), 1.3
        rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
        places = torch.stack([rows.flatten(), columns.flatten()], dim=1).double()
        kernel = torch.exp(-torch.cdist(places, places).square() / (2 * sigma**2))
        expected = (kernel * masks.flatten(1)[:, None]).amax(dim=2).view(2, 5, 6)
        torch.testing.assert_close(max_spread(masks, sigma / 5, 1e-5), expected)

    def test_one_cell_becomes_a_hill_of_its_height(self):
        masks = torch.zeros(1, 9, 9, dtype=torch.float64)
        masks[0, 4, 4] = 1
        found = max_spread(masks, 2.0 / 9, 0.05)[0]
        assert float(found[4, 4]) == pytest.approx(1, abs=0.02)
        assert float(found[4, 6]) == pytest.approx(math.exp(-0.5), abs=0.03)

    def test_the_frames_of_a_clip_have_a_width_of_their_own(self):
        """A tenth of 20 frames and of 10 pixels: deviations of 2 frames and 1 pixel."""
        masks = torch.zeros(1, 20, 10, 10, dtype=torch.float64)
        masks[0, 8, 5, 5] = 1
        found = max_spread(masks, 0.1, 1e-3)[0]
        assert float(found[10, 5, 5]) == pytest.approx(math.exp(-0.5), abs=0.01)
        assert float(found[8, 6, 5]) == pytest.approx(math.exp(-0.5), abs=0.01)

    def test_no_step_is_steeper_than_the_hill(self):
        """A hill falls by at most exp(-1/2) / sigma a cell, and the maximum of hills no faster."""
        masks = (drawn(4, 16, 16) > 0.9).double()
        found = max_spread(masks, 3.0 / 16, 1e-4)
        steepest = max(float(found.diff(dim=axis).abs().max()) for axis in (1, 2))
        assert steepest <= math.exp(-0.5) / 3.0 + 1e-6


class TestArea:
    def test_zero_for_any_mask_of_that_area_and_no_other(self):
        mask = torch.zeros(10, dtype=torch.float64)
        mask[[1, 4, 7]] = 1
        rows = mask.view(1, 2, 5).expand(3, 2, 5)
        torch.testing.assert_close(
            area_loss(rows, torch.tensor([0.3, 0.5, 0.1], dtype=torch.float64)),
            torch.tensor([0, 0.2, 0.2], dtype=torch.float64),
        )

    def test_by_hand(self):
        """Sorted (0.1, 0.5, 0.6, 0.8) against (0, 0, 1, 1): (0.01 + 0.25 + 0.16 + 0.04) / 4."""
        found = area_loss(torch.tensor([[0.8, 0.1, 0.5, 0.6]], dtype=torch.float64), torch.tensor([0.5]).double())
        assert float(found) == pytest.approx(0.115)

    def test_the_derivative_lifts_the_largest_and_lowers_the_others(self):
        masks = torch.tensor([[0.8, 0.1, 0.5, 0.6]], dtype=torch.float64, requires_grad=True)
        [gradient] = torch.autograd.grad(area_loss(masks, torch.tensor([0.5]).double()).sum(), [masks])
        torch.testing.assert_close(gradient, torch.tensor([[-0.1, 0.05, 0.25, -0.2]]).double())


class TestVariation:
    def test_one_cell_by_hand(self):
        """A cell of 2: the two cells before it step up by 2, it steps down by 2 on both axes: 2^3 + 2^3 + (4 + 4)^(3/2)."""
        masks = torch.zeros(1, 4, 4, dtype=torch.float64)
        masks[0, 1, 2] = 2
        assert float(variation(masks, 3.0)) == pytest.approx(8 + 8 + 8**1.5)

    def test_a_flat_mask_has_none_and_a_derivative_of_zero(self):
        masks = torch.full((2, 4, 4), 0.5, dtype=torch.float64, requires_grad=True)
        [gradient] = torch.autograd.grad(variation(masks, 1.0).sum(), [masks])
        assert not gradient.any() and not variation(masks, 1.0).any()

    def test_the_derivative_is_that_of_finite_differences(self):
        masks = drawn(2, 3, 4).requires_grad_()
        assert torch.autograd.gradcheck(lambda m: variation(m, 3.0), [masks])
        assert torch.autograd.gradcheck(lambda m: max_spread(m, 0.4, 0.05), [masks])
        assert torch.autograd.gradcheck(lambda m: gauss_enlarged(m, (7, 5), 0.6), [masks])
