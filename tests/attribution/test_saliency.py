import torch
from captum.attr import Saliency
from gradient_oracle import explained


def test_equals_captum_exactly(cnn, images):
    theirs = Saliency(cnn).attribute(images, target=1).amax(dim=1)
    torch.testing.assert_close(explained(cnn, images, "saliency").heatmap, theirs, rtol=0, atol=1e-14)


def test_on_a_linear_network_it_is_the_largest_weight(linear, images):
    expected = linear.weight[1].detach().abs().amax(dim=0).expand(3, 8, 8)
    torch.testing.assert_close(explained(linear, images, "saliency").heatmap, expected)
