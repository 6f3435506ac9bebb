"""Channel contributions are the channels of the HiResCAM map, averaged over positions."""

import pytest
import torch
from torch import nn

import seewhy
from networks import SmallCNN, seeded
from seewhy.contributions.channels import channel_contribution
from seewhy.core.needs import at
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import ClassScore


def contributions(network, images, layer, normalize="positions"):
    session = seewhy.Session(seewhy.Model(network, layer=layer))
    block = session.block(images, at(layer))
    return channel_contribution(NetworkProbe(Question(block, ClassScore(1)), at(layer)), layer, normalize)


def test_one_channel_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Flatten(), nn.Linear(8, 2, bias=False)).double()
    network[0].weight.data = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1).double()
    network[2].weight.data = torch.arange(16.0).view(2, 8).double()
    images = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]).double()
    found = contributions(network, images, "0")
    # class 1 weighs channel 0 by 8..11 and channel 1 by 12..15; activations are 2x and -x; Z = 4
    first = (8 * 2 + 9 * 4 + 10 * 6 + 11 * 8) / 4
    second = -(12 * 1 + 13 * 2 + 14 * 3 + 15 * 4) / 4
    torch.testing.assert_close(found.contribution, torch.tensor([[first, second]]).double())
    torch.testing.assert_close(found.share, torch.tensor([[first, -second]]).double() / (first - second))
    assert found.strongest(1).tolist() == [[0]]


def test_the_sum_over_channels_is_the_mean_of_the_hires_cam_map(cnn, images):
    found = contributions(cnn, images, "body")
    hires = seewhy.Session(seewhy.Model(cnn, layer="body")).explain(images, 1, "hires-cam").heatmap
    torch.testing.assert_close(found.contribution.sum(dim=1), hires.flatten(1).mean(dim=1))
    torch.testing.assert_close(found.maps.sum(dim=1), hires)


def test_behind_average_pool_and_linear_the_sum_is_the_logit_minus_the_bias(cnn, images):
    found = contributions(cnn, images, "act")
    logits = seewhy.Session(cnn).predict(images)[:, 1]
    torch.testing.assert_close(16 * found.contribution.sum(dim=1), logits - cnn.head.bias.detach()[1])  # Z = 4 x 4


def test_it_agrees_with_plain_autograd(cnn, images):
    kept = {}
    cnn.stem.register_forward_hook(lambda module, args, output: kept.update(a=output))
    cnn.stem[2].inplace = False
    score = cnn(images)[:, 1].sum()
    (gradient,) = torch.autograd.grad(score, kept["a"])
    expected = (gradient * kept["a"]).mean(dim=(2, 3)).detach()
    torch.testing.assert_close(contributions(seeded(SmallCNN()), images, "stem").contribution, expected)


def test_normalized_by_magnitude(cnn, images):
    found = contributions(cnn, images, "body", "magnitude")
    torch.testing.assert_close(found.contribution.abs().sum(dim=1), torch.ones(3).double())
    torch.testing.assert_close(found.contribution.abs(), found.share)


@pytest.mark.door
def test_another_way_to_normalize(cnn, images):
    with pytest.raises(seewhy.ConfigError, match="normalize"):
        contributions(cnn, images, "body", "sum")


def test_a_dead_layer_contributes_nothing_rather_than_nan(cnn, images):
    cnn.head.weight.data.zero_()
    found = contributions(cnn, images, "act")
    assert not found.contribution.any()
    assert not found.share.any()


def test_through_the_front_door(cnn, images):
    with seewhy.Session(cnn) as session:
        found = session.channels(images, 1)
        named = session.channels(images, 1, "act", normalize="magnitude")
    assert found.layer == "act"
    torch.testing.assert_close(found.contribution, contributions(cnn, images, "act").contribution)
    torch.testing.assert_close(named.contribution, contributions(cnn, images, "act", "magnitude").contribution)
    assert session.cost == seewhy.Cost(6, 6)  # three images, twice
    with pytest.raises(seewhy.LayerError, match="no spatial grid"):
        session.channels(images, 1, "head")
