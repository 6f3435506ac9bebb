import pytest
import torch
from captum.attr import LayerConductance
from gradient_oracle import Quadratic, explained
from torch import nn

import seewhy


def test_the_sum_is_the_difference_of_the_scores(cnn, images):
    found = explained(cnn, images, "layer-conductance", layer="stem", steps=200)
    difference = (cnn(images) - cnn(torch.zeros_like(images)))[:, 1].detach()
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)) + found.residual, difference)
    assert (found.residual.abs() < 2e-3 * difference.abs()).all()


def test_the_residual_falls_with_the_steps(cnn, images):
    worst = [
        float(explained(cnn, images, "layer-conductance", layer="stem", steps=steps).residual.abs().max())
        for steps in (2, 16, 128)
    ]
    assert worst[0] > 4 * worst[1] > 16 * worst[2]


@pytest.mark.parametrize("layer", ["stem", "body", "down"])
def test_equals_captum_within_the_error_of_its_sum(cnn, images, layer):
    theirs = LayerConductance(cnn, cnn.get_submodule(layer)).attribute(images, 0, target=1, n_steps=2000)
    found = explained(cnn, images, "layer-conductance", layer=layer, steps=500).heatmap
    theirs = theirs.sum(dim=1).detach()
    torch.testing.assert_close(found, theirs, rtol=0, atol=4e-3 * float(theirs.abs().max()))


def test_behind_a_linear_layer_it_is_the_change_times_the_gradient(linear, images):
    """The layer passes the image on, so what it conducts is weight times input, with a single step."""
    found = explained(linear, images, "layer-conductance", layer="layer", steps=1, baseline="white")
    torch.testing.assert_close(found.heatmap, (linear.weight[1] * (images - 1)).sum(dim=1).detach())


def test_a_quadratic_score_is_exact_with_one_step(images):
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False).double(), Quadratic())
    found = explained(network, images, "layer-conductance", layer="0", steps=1)
    expected = network[1].integral(torch.zeros_like(images), network[0](images), 1)
    torch.testing.assert_close(found.heatmap, expected.detach())


def test_a_branch_around_the_layer_shows_as_residual(cnn, images):
    """Half of the sum x + body(x) goes around the body."""
    found = explained(cnn, images, "layer-conductance", layer="body", steps=64)
    whole = (cnn(images) - cnn(torch.zeros_like(images)))[:, 1].detach()
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)) + found.residual, whole)
    assert (found.residual.abs() > 0.01 * whole.abs()).any()


@pytest.mark.parametrize("settings", [{"steps": 0}, {"crowding": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(seewhy.ConfigError, match="layer-conductance wants"):
        seewhy.method("layer-conductance", **settings)
