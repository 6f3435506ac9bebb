import pytest
import torch
from cam_oracle import Pooled, TwoLayers, Weighted, drawn, layer_of, volume
from torch import nn

import seewhy
from networks import seeded
from seewhy.targets import ClassScore, Contrast, Margin


@pytest.fixture
def network():
    return seeded(Pooled())


def test_is_the_linear_layer_applied_at_each_position(network, images):
    activation, _, _ = layer_of(network, "features", images, 2)
    expected = torch.einsum("bcxy,c->bxy", activation, network.head.weight[2].detach())
    torch.testing.assert_close(drawn(network, images, "cam", target=2), expected)


def test_its_mean_is_the_logit_minus_the_bias(network, images):
    found = seewhy.Session(network).explain(images, 2, "cam")
    torch.testing.assert_close(found.heatmap.mean(dim=(1, 2)), found.score - network.head.bias[2].detach())


def test_grad_cam_is_its_positive_part_over_the_number_of_positions(network, images):
    torch.testing.assert_close(drawn(network, images, "cam").clamp_min(0) / 16, drawn(network, images, "grad-cam"))


def test_three_spatial_axes():
    network, images = seeded(Pooled(axes=3)), volume()
    activation, _, _ = layer_of(network, "features", images, 2)
    expected = torch.einsum("bcxyz,c->bxyz", activation, network.head.weight[2].detach())
    torch.testing.assert_close(drawn(network, images, "cam", target=2), expected)


def test_contrasts_subtract(network, images):
    difference = drawn(network, images, "cam", target=1) - drawn(network, images, "cam", target=3)
    torch.testing.assert_close(drawn(network, images, "cam", target=Contrast(1, 3)), difference)
    drawn(network, images, "cam", target=Margin())


def test_refuses_a_head_of_two_layers(images):
    with pytest.raises(seewhy.MethodError, match=r"depends on the image.*hires-cam.*grad-cam"):
        drawn(seeded(TwoLayers()), images, "cam")


def test_refuses_a_head_that_weights_positions(images):
    with pytest.raises(seewhy.MethodError, match="differs between positions"):
        drawn(seeded(Weighted()), images, "cam")


def test_refuses_a_layer_with_a_relu_behind_it(cnn, images):
    with pytest.raises(seewhy.MethodError, match="differs between positions"):
        drawn(cnn, images, seewhy.method("cam", layer="down"))


def test_refuses_a_norm_in_the_head_of_an_odd_network(images):
    """Without biases and ReLU the negative image gives the negative features, for which a layer norm has the same gradient."""
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(6), nn.Linear(6, 4)
    )
    with pytest.raises(seewhy.MethodError, match="depends on the image"):
        drawn(seeded(network), images, seewhy.method("cam", layer="0"))


def test_refuses_probabilities(network, images):
    with pytest.raises(seewhy.MethodError, match="depends on the image"):
        drawn(network, images, "cam", target=ClassScore(0, "probability"))


def test_an_image_of_zeros_is_checked_too():
    """The negative of zeros is zeros: the check holds for what it can see."""
    network = seeded(Pooled())
    zeros = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    found = seewhy.Session(network).explain(zeros, 0, "cam")
    torch.testing.assert_close(found.heatmap.mean(dim=(1, 2)), found.score - network.head.bias[0].detach())
