import pytest
import torch
from gradient_oracle import explained, gradient

import seewhy


@pytest.mark.parametrize("steps", [1, 5])
def test_the_sum_is_the_difference_of_the_scores_exactly(cnn, images, steps):
    found = explained(cnn, images, "idgi", steps=steps, baseline="white")
    difference = (cnn(images) - cnn(torch.ones_like(images)))[:, 1].detach()
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)), difference, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-12)


def test_by_hand(cnn, images):
    expected = torch.zeros(3, 8, 8, dtype=torch.float64)
    for step in range(4):
        here, there = (step / 4) ** 2 * images, ((step + 1) / 4) ** 2 * images
        squares = gradient(cnn, here) ** 2
        for n in range(3):
            gain = (cnn(there[n : n + 1]) - cnn(here[n : n + 1]))[0, 1].detach()
            expected[n] += gain * squares[n].sum(dim=0) / squares[n].sum()
    found = explained(cnn, images, "idgi", steps=4).heatmap
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_on_a_linear_network_it_is_the_squared_weight_times_the_difference(linear, images):
    squares = linear.weight[1].detach().square()
    difference = (linear.weight[1] * images).sum(dim=(1, 2, 3)).detach()
    expected = difference.view(3, 1, 1) * squares.sum(dim=0) / squares.sum()
    torch.testing.assert_close(explained(linear, images, "idgi", steps=3).heatmap, expected)


def test_a_gradient_of_zero_leaves_a_residual_and_no_nan(images):
    class Late(torch.nn.Module):
        """Flat near black, so the first gradient is zero although the score moves."""

        def __init__(self):
            super().__init__()
            self.edge = torch.nn.Parameter(torch.tensor(0.1, dtype=torch.float64))

        def forward(self, x):
            return torch.stack([x.sum(dim=(1, 2, 3)), (x - self.edge).relu().sum(dim=(1, 2, 3))], dim=1)

    found = explained(Late(), images, "idgi", steps=1)
    assert not found.heatmap.any()
    torch.testing.assert_close(found.residual, (images - 0.1).relu().sum(dim=(1, 2, 3)))


def test_settings_out_of_range_are_refused():
    for settings in ({"steps": 0}, {"crowding": 0}):
        with pytest.raises(seewhy.ConfigError, match="idgi wants"):
            seewhy.method("idgi", **settings)
