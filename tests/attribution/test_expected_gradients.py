import pytest
import torch
from gradient_oracle import Quadratic, explained, gradient

import seewhy


def test_on_a_linear_network_it_is_weight_times_the_mean_way(linear, images):
    found = explained(linear, images, "expected-gradients", samples=4, baselines=("black", "white"))
    torch.testing.assert_close(found.heatmap, (linear.weight[1] * (images - 0.5)).sum(dim=1).detach())
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-12)


def test_a_baseline_with_more_turns_weighs_more(linear, images):
    found = explained(linear, images, "expected-gradients", samples=3, baselines=("white", "black"))
    torch.testing.assert_close(found.heatmap, (linear.weight[1] * (images - 2 / 3)).sum(dim=1).detach())
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-12)


def test_by_hand_one_place_in_each_part_of_the_line(cnn, images):
    drawn = torch.rand(4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    places = [(part + float(inside)) / 4 for part, inside in enumerate(drawn)]
    expected = sum((images * gradient(cnn, place * images)).sum(dim=1) for place in places) / 4
    found = explained(cnn, images, "expected-gradients", samples=4, baselines=("black",), seed=5)
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-12)


def test_strata_lower_the_error_below_that_of_free_draws(images):
    """The gradient is linear along the line, so n strata leave an error of order n^-1.5 where free draws leave n^-0.5."""
    network = Quadratic()
    exact = network.integral(torch.zeros_like(images), images, 1)
    for samples in (8, 64):
        found = explained(network, images, "expected-gradients", samples=samples, baselines=("black",))
        bound = 5 * (2 * network.square[1] * images**2).abs().sum(dim=1) * samples**-1.5 / 12**0.5
        assert ((found.heatmap - exact).abs() <= bound).all()


def test_map_and_residual_add_up_to_the_difference_from_the_mean_baseline(cnn, images):
    found = explained(cnn, images, "expected-gradients", samples=6, baselines=("black", "white"))
    scores = [cnn(images)[:, 1], cnn(0 * images)[:, 1], cnn(0 * images + 1)[:, 1]]
    expected = (scores[0] - (scores[1] + scores[2]) / 2).detach()
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)) + found.residual, expected)


def test_another_seed_another_map(cnn, images):
    maps = [explained(cnn, images, "expected-gradients", samples=4, seed=seed).heatmap for seed in (0, 1)]
    assert not torch.allclose(*maps)


def test_each_baseline_wants_a_sample():
    with pytest.raises(seewhy.ConfigError, match="one sample for each"):
        seewhy.method("expected-gradients", samples=1)
