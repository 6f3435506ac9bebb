import pytest
import torch
from gradient_oracle import Quadratic, explained

import seewhy
from seewhy.ops.filters import diffusion


def most_blurred(images, share=1 / 6):
    return next(diffusion(images, [share * 8]))


def test_on_a_linear_network_it_is_weight_times_what_the_blur_takes_away(linear, images):
    found = explained(linear, images, "blur-ig", steps=3)
    torch.testing.assert_close(found.heatmap, (linear.weight[1] * (images - most_blurred(images))).sum(dim=1).detach())


@pytest.mark.parametrize("steps", [1, 4])
def test_on_a_quadratic_network_it_is_exact(images, steps):
    network = Quadratic()
    found = explained(network, images, "blur-ig", steps=steps)
    torch.testing.assert_close(found.heatmap, network.integral(most_blurred(images), images, 1))
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-11)


def test_the_sum_is_the_difference_from_the_most_blurred_image_and_closes_with_the_steps(cnn, images):
    difference = (cnn(images) - cnn(most_blurred(images, 0.5)))[:, 1].detach()
    worst = []
    for steps in (2, 16, 128):
        found = explained(cnn, images, "blur-ig", steps=steps, blur=0.5)
        torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)) + found.residual, difference)
        worst.append(float(found.residual.abs().max()))
    assert worst[0] > 2 * worst[1] > 4 * worst[2]


def test_an_evenly_coloured_image_has_no_map(cnn):
    images = torch.full((1, 3, 8, 8), 0.7, dtype=torch.float64)
    assert explained(cnn, images, "blur-ig", steps=3).heatmap.abs().max() < 1e-12


@pytest.mark.parametrize("settings", [{"steps": 0}, {"blur": 0.0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError, match="blur-ig wants"):
        seewhy.method("blur-ig", **settings)
