import pytest
import torch
from captum.attr import GuidedBackprop
from gradient_oracle import explained
from torch import nn

import seewhy
from networks import seeded
from spelled_twice import OfModules, pair


def test_is_the_same_as_in_captum(images):
    network, _ = pair()
    expected = GuidedBackprop(network).attribute(images.clone(), target=1).abs().amax(dim=1)
    torch.testing.assert_close(explained(network, images, "guided-backprop").heatmap, expected, rtol=1e-10, atol=1e-12)


def test_a_network_of_functions_gives_the_map_of_its_twin_of_modules(images):
    """Peers watch modules, and give the plain gradient here."""
    modules, functions = pair()
    maps = [explained(network, images, "guided-backprop").heatmap for network in (modules, functions)]
    torch.testing.assert_close(*maps, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(maps[1], explained(functions, images, "saliency").heatmap)


def test_by_hand_on_two_layers(images):
    """W1^T relu(W2[1] * open): the positive part of what comes to the only rectifier, where that is open."""
    network = seeded(nn.Sequential(nn.Flatten(), nn.Linear(192, 9), nn.ReLU(), nn.Linear(9, 4)))
    first, second = network[1], network[3]
    opened = first(images.flatten(1)) > 0
    expected = ((second.weight[1].relu() * opened) @ first.weight).view(3, 3, 8, 8)
    found = explained(network, images, "guided-backprop").heatmap
    torch.testing.assert_close(found, expected.abs().amax(dim=1).detach(), rtol=1e-12, atol=1e-14)


def test_a_network_without_rectifiers_is_refused(images):
    with pytest.raises(seewhy.MethodError, match="relu, relu6, and this network has none of them"):
        explained(seeded(OfModules(nn.GELU)), images, "guided-backprop")


def test_other_nonlinearities_are_named_with_their_share(images):
    network = seeded(OfModules())
    network.act2 = nn.SiLU()
    found = explained(network, images, "guided-backprop")
    assert "at 1 of 3 nonlinear operations (silu x 1) the plain gradient was taken" in found.notes[0][0]
    assert found.coverage.kinds("fallback gradient") == ("silu",)


def test_the_coverage_counts_what_was_met(images):
    _, network = pair()
    met = {kind: times for kind, times, _ in explained(network, images, "guided-backprop").coverage.met}
    assert (met["relu"], met["convolution"], met["max pool"], met["linear"], met["add"]) == (3, 3, 1, 2, 1)
