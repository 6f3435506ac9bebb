import torch
from captum.attr import InputXGradient
from gradient_oracle import explained
from torch import nn

from networks import SmallCNN, seeded


def test_equals_captum_exactly(cnn, images):
    theirs = InputXGradient(cnn).attribute(images, target=1).sum(dim=1).detach()
    torch.testing.assert_close(explained(cnn, images, "input-x-gradient").heatmap, theirs, rtol=0, atol=1e-14)


def test_on_a_linear_network_it_is_weight_times_input(linear, images):
    expected = (linear.weight[1] * images).sum(dim=1).detach()
    torch.testing.assert_close(explained(linear, images, "input-x-gradient").heatmap, expected)


def test_without_biases_the_map_of_a_relu_network_sums_to_the_score(images):
    network = seeded(SmallCNN())
    for part in network.modules():
        if getattr(part, "bias", None) is not None:
            part.bias.data.zero_()
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.zero_()
    found = explained(network, images, "input-x-gradient")
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)), found.score)
