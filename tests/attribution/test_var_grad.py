import pytest
import torch
from gradient_oracle import Quadratic, explained

import seewhy
from networks import SmallCNN, seeded
from seewhy.ops.streams import variance


def test_is_the_mean_square_minus_the_squared_mean():
    """With one channel SmoothGrad is the magnitude of the mean gradient, so its square is what is taken off."""
    network = seeded(SmallCNN(channels=1))
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    mean, square, var = (
        explained(network, images, key, samples=6, seed=2).heatmap
        for key in ("smooth-grad", "smooth-grad-squared", "var-grad")
    )
    torch.testing.assert_close(var, square - mean**2, rtol=1e-9, atol=1e-12)
    assert var.max() > 1e-6


def test_on_a_linear_network_nothing_varies(linear, images):
    assert explained(linear, images, "var-grad", samples=4).heatmap.abs().max() < 1e-25


def test_on_a_quadratic_network_it_is_that_of_the_noise(images):
    """Gradient 2 w x + v, noise of deviation s: variance 4 w^2 s^2, within the error of a variance of 400 draws."""
    network = Quadratic()
    spread = (images.flatten(1).amax(dim=1) - images.flatten(1).amin(dim=1)).view(3, 1, 1, 1)
    expected = (4 * network.square[1] ** 2 * (0.1 * spread) ** 2).sum(dim=1).detach()
    found = explained(network, images, "var-grad", samples=400, noise=0.1).heatmap
    assert ((found / expected - 1).abs() < 5 * (2 / 400) ** 0.5).all()
    assert abs(float((found / expected).mean()) - 1) < 0.02


def test_the_streamed_variance_is_stable_far_from_zero():
    values = 1e4 + torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    exact = values.double().var(dim=0, correction=0)
    torch.testing.assert_close(variance(iter(values)).double(), exact, rtol=0.01, atol=0)
    naive = values.square().mean(dim=0) - values.mean(dim=0).square()
    assert ((naive.double() / exact - 1).abs() > 0.5).any()


def test_one_sample_has_no_variance():
    with pytest.raises(seewhy.ConfigError, match="samples of at least 2"):
        seewhy.method("var-grad", samples=1)
