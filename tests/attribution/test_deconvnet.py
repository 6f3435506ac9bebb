import pytest
import torch
from captum.attr import Deconvolution
from gradient_oracle import explained
from torch import nn

import seewhy
from networks import seeded
from spelled_twice import OfModules, pair


def test_is_the_same_as_in_captum(images):
    network, _ = pair()
    expected = Deconvolution(network).attribute(images.clone(), target=1).abs().amax(dim=1)
    torch.testing.assert_close(explained(network, images, "deconvnet").heatmap, expected, rtol=1e-10, atol=1e-12)


def test_a_network_of_functions_gives_the_map_of_its_twin_of_modules(images):
    maps = [explained(network, images, "deconvnet").heatmap for network in pair()]
    torch.testing.assert_close(*maps, rtol=1e-12, atol=1e-14)


def test_by_hand_on_two_layers(images):
    """W1^T relu(W2[1]), whichever picture: nothing is said of what was open."""
    network = seeded(nn.Sequential(nn.Flatten(), nn.Linear(192, 9), nn.ReLU(), nn.Linear(9, 4)))
    expected = (network[3].weight[1].relu() @ network[1].weight).view(3, 8, 8).abs().amax(dim=0).detach()
    found = explained(network, images, "deconvnet")
    torch.testing.assert_close(found.heatmap, expected.expand(3, 8, 8), rtol=1e-12, atol=1e-14)
    assert "any other gives this map" in found.notes[0][0]


def test_max_pools_are_what_depends_on_the_picture(images):
    network, _ = pair()
    found = explained(network, images, "deconvnet")
    assert not torch.allclose(found.heatmap[0], found.heatmap[1])
    assert found.notes == ((), (), ())


def test_a_network_without_rectifiers_is_refused(images):
    with pytest.raises(seewhy.MethodError, match="has none of them"):
        explained(seeded(OfModules(nn.Tanh)), images, "deconvnet")
