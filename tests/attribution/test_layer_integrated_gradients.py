import pytest
import torch
from captum.attr import LayerIntegratedGradients
from gradient_oracle import Quadratic, explained
from torch import nn

import seewhy


@pytest.mark.parametrize("layer", ["stem", "body", "down", "stem.0"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 1e-5)])
def test_equals_captum_with_the_same_nodes(cnn, images, layer, dtype, tolerance):
    """Captum holds its weights in float32, whatever the network."""
    network, inputs = cnn.to(dtype), images.to(dtype)
    captum = LayerIntegratedGradients(network, network.get_submodule(layer))
    theirs = captum.attribute(inputs, 0, target=1, n_steps=7, method="gausslegendre").sum(dim=1).detach()
    found = explained(network, inputs, "layer-integrated-gradients", layer=layer, steps=7).heatmap
    torch.testing.assert_close(found, theirs, rtol=0, atol=tolerance)


def test_the_sum_is_the_difference_of_the_scores(cnn, images):
    found = explained(cnn, images, "layer-integrated-gradients", layer="stem", steps=64)
    difference = (cnn(images) - cnn(torch.zeros_like(images)))[:, 1].detach()
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)) + found.residual, difference)
    assert (found.residual.abs() < 2e-3 * difference.abs()).all()


def test_a_quadratic_score_is_exact_with_one_node(images):
    network = nn.Sequential(nn.Conv2d(3, 3, 1).double(), nn.ReLU(), Quadratic())
    found = explained(network, images, "layer-integrated-gradients", layer="1", steps=1)
    start, end = (network[:2](x) for x in (torch.zeros_like(images), images))
    torch.testing.assert_close(found.heatmap, network[2].integral(start, end, 1).detach())
    torch.testing.assert_close(found.residual, torch.zeros_like(found.residual), rtol=0, atol=1e-11)


def test_where_only_a_linear_layer_follows_both_layer_methods_agree(images):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3).double(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3).double()
    )
    maps = [
        explained(network, images, key, layer="1", steps=3).heatmap
        for key in ("layer-integrated-gradients", "layer-conductance")
    ]
    torch.testing.assert_close(*maps)


def test_settings_out_of_range_are_refused():
    with pytest.raises(seewhy.ConfigError, match="at least 1 step"):
        seewhy.method("layer-integrated-gradients", steps=0)
