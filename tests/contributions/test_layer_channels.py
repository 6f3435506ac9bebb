"""Channels of a layer: closed forms, hooks of torch's own, planted channels."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import seewhy
from networks import SmallViT, seeded
from seewhy.contributions.baseline import baselines, even_part
from seewhy.contributions.importance import importance_of
from seewhy.contributions.layer_channels import Channels
from seewhy.contributions.measuring import Plan
from seewhy.contributions.units import first_of, one_at_a_time
from seewhy.data.dataset import dataset
from seewhy.targets import ClassScore
from units_asked import asked_of, data_of, effects_of


class Pooled(nn.Module):
    """Convolution, rectifier, average pool, linear head: linear in the channels of the rectifier."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.head = nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Linear(5, 4)

    def forward(self, x):
        return self.head(self.act(self.conv(x)).mean(dim=(2, 3)))


@pytest.fixture
def pooled():
    return seeded(Pooled())


ONE = ClassScore(1)


def learned(network, data, units):
    return units.learned(seewhy.Session(network), data, 0)


def test_at_a_linear_head_the_effect_is_weight_times_distance_to_the_mean(pooled):
    images, data = data_of(pooled)
    found = effects_of(pooled, data, Channels(at="act"), ClassScore(2))
    with torch.no_grad():
        pooled_activation = pooled.act(pooled.conv(images)).mean(dim=(2, 3))  # (n, c)
        expected = pooled.head.weight[2] * (pooled_activation - pooled_activation.mean(dim=0))
    torch.testing.assert_close(found.score, expected)
    torch.testing.assert_close(found.score.mean(dim=0), torch.zeros(5).double(), atol=1e-12, rtol=0)


def test_zero_on_request(pooled):
    images, data = data_of(pooled)
    found = effects_of(pooled, data, Channels(at="act", fill="zero"), ClassScore(2))
    with torch.no_grad():
        expected = pooled.head.weight[2] * pooled.act(pooled.conv(images)).mean(dim=(2, 3))
    torch.testing.assert_close(found.score, expected)
    torch.testing.assert_close(found.all_gone, expected.sum(dim=1))  # linear: the parts add up


@pytest.mark.parametrize("layer", ["stem", "body", "down", "act"])
def test_replay_gives_what_a_hook_gives_in_the_whole_network(cnn, layer):
    images, data = data_of(cnn)
    ((asked, _),) = asked_of(cnn, data, Channels(at=layer), ONE)
    mean = asked.units.known[layer].mean
    order = torch.randperm(len(asked.units.names), generator=torch.Generator().manual_seed(1))
    gone = [*one_at_a_time(len(order)), *first_of(order, range(len(order) + 1))]
    for which, found in zip(gone, asked.units.answers(asked.probe, iter(gone)), strict=True):
        handle = cnn.get_submodule(layer).register_forward_hook(
            lambda module, args, output, which=which: torch.where(which[:, None, None], mean, output)
        )
        with torch.no_grad():
            expected = cnn(images)
        handle.remove()
        torch.testing.assert_close(found, expected)


def test_the_mean_is_over_pictures_and_positions(cnn):
    images, data = data_of(cnn)
    session = seewhy.Session(cnn)
    known = baselines(session, data, ["down", "stem:in"])
    with torch.no_grad():
        x = cnn.stem(images)
        made = cnn.down(x + cnn.body(x))
    torch.testing.assert_close(known["down"].mean, made.mean(dim=(0, 2, 3), keepdim=True))
    torch.testing.assert_close(known["down"].each, made.mean(dim=0, keepdim=True))
    torch.testing.assert_close(known["stem:in"].mean, images.mean(dim=(0, 2, 3), keepdim=True))
    assert known["down"].pictures == 6


def test_of_many_pictures_an_even_part_is_looked_at(pooled):
    _, data = data_of(pooled, (7, 3, 8, 8))
    assert even_part(data, 3).names == ("image 0", "image 2", "image 4")
    assert even_part(data, 7) is data


def test_tokens_without_a_place_have_a_mean_of_their_own():
    network = seeded(SmallViT())
    images, data = data_of(network)
    mean = baselines(seewhy.Session(network), data, ["blocks.0"])["blocks.0"].mean
    kept = {}
    handle = network.blocks[0].register_forward_hook(lambda module, args, output: kept.update(made=output.detach()))
    network(images)
    handle.remove()
    torch.testing.assert_close(mean[0, 0], kept["made"][:, 0].mean(dim=0))
    torch.testing.assert_close(mean[0, 1:], kept["made"][:, 1:].mean(dim=(0, 1)).expand(16, 8))


def test_another_picture_lends_its_channel(pooled):
    images, data = data_of(pooled)
    ((asked, _),) = asked_of(pooled, data, Channels(at="act", fill="resample"), ONE)
    found = effects_of(pooled, data, Channels(at="act", fill="resample"), ONE)
    with torch.no_grad():
        activation = pooled.act(pooled.conv(images)).mean(dim=(2, 3))
    lent = asked.units.lent
    donors = [int((images == one).flatten(1).all(dim=1).nonzero()) for one in lent]
    assert all(donor != place for place, donor in enumerate(donors))
    expected = pooled.head.weight[1].detach() * (activation - activation[donors])
    torch.testing.assert_close(found.score, expected)


@pytest.mark.parametrize("fill", ["mean", "resample", "blur"])
def test_the_size_of_the_batch_changes_nothing(cnn, fill):
    _, data = data_of(cnn)
    found = [effects_of(cnn, data, Channels(at="body", fill=fill), ONE, rows=rows).score for rows in (1, 4, 6)]
    torch.testing.assert_close(found[0], found[1], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(found[0], found[2], atol=1e-12, rtol=1e-12)


def test_seeds_repeat_bit_for_bit_and_differ(cnn):
    _, data = data_of(cnn)
    units = Channels(at="body", fill="resample")
    one, again, other = (effects_of(cnn, data, units, ONE, seed=seed).score for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_single_photo_is_compared_with_itself_blurred(pooled):
    images, data = data_of(pooled, (1, 3, 8, 8))
    ((asked, _),) = asked_of(pooled, data, Channels(at="act"), ClassScore(0))
    assert asked.units.replacement == "the same channel for the blurred photo"
    blurred = asked.probe.stand_in("blur")
    with torch.no_grad():
        pools = [pooled.act(pooled.conv(x)).mean(dim=(2, 3)) for x in (images, blurred)]
    found = effects_of(pooled, data, Channels(at="act"), ClassScore(0))
    torch.testing.assert_close(found.score, pooled.head.weight[0].detach() * (pools[0] - pools[1]))


def test_a_channel_that_is_always_zero_is_said_to_be_and_does_exactly_nothing(pooled):
    pooled.conv.weight.data[3] = 0
    pooled.conv.bias.data[3] = -1
    _, data = data_of(pooled)
    found = effects_of(pooled, data, Channels(at="act"), ONE)
    assert learned(pooled, data, Channels(at="act")).remarks == ("", "", "", "always zero", "")
    assert not found.score[:, 3].any()
    assert not found.loss[:, 3].any()
    assert found.score[:, [0, 1, 2, 4]].abs().sum(dim=0).gt(0).all()


def test_a_mean_over_a_single_photo_is_said_to_be_one(pooled):
    pooled.conv.weight.data[3] = 0
    pooled.conv.bias.data[3] = -1
    _, data = data_of(pooled, (1, 3, 8, 8))
    units = learned(pooled, data, Channels(at="act", fill="mean"))
    assert "a single photo" in units.notes[0]
    assert units.remarks[3] == "zero in this photo"
    found = effects_of(pooled, data, Channels(at="act", fill="mean"), ONE)
    torch.testing.assert_close(found.score, torch.zeros(1, 5).double(), atol=1e-12, rtol=0)  # the pool takes it anyway


def test_activation_sizes(pooled):
    images, data = data_of(pooled)
    found = effects_of(pooled, data, Channels(at="conv"), ONE)
    torch.testing.assert_close(found.sizes, pooled.conv(images).abs().mean(dim=(2, 3)).detach())


def test_a_layer_without_a_grid(cnn):
    images, data = data_of(cnn)
    found = effects_of(cnn, data, Channels(at="head:in"), ONE)
    assert found.score.shape == (6, 8)
    with torch.no_grad():
        x = cnn.stem(images)
        given = cnn.act(cnn.down(x + cnn.body(x))).mean(dim=(2, 3))
    expected = cnn.head.weight[1].detach() * (given - given.mean(dim=0))
    torch.testing.assert_close(found.score, expected)


class Planted(nn.Module):
    """Channel 3 of eight counts the pixels where red is on and blue is off; the class is whether there are many. The rest is noise that the head hardly reads."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.head = nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Linear(8, 2)
        generator = torch.Generator().manual_seed(0)
        self.conv.weight.data = torch.randn(8, 3, 1, 1, generator=generator)
        self.conv.weight.data[3] = torch.tensor([1.0, 0.0, -1.0])[:, None, None]
        self.conv.bias.data.zero_()
        self.head.weight.data = 0.05 * torch.randn(2, 8, generator=generator)
        self.head.weight.data[:, 3] = torch.tensor([-5.0, 5.0])

    def forward(self, x):
        return self.head(self.act(self.conv(x)).mean(dim=(2, 3)))


def planted():
    """The network, and pictures of which every other one has little red; the head's threshold lies between the two."""
    network = Planted().double().eval()
    images = torch.rand(40, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    images[::2, 0] *= 0.3
    red = (images[:, 0] - images[:, 2]).relu().mean(dim=(1, 2))
    network.head.bias.data = torch.stack([5 * red.median(), -5 * red.median()])
    return network, dataset((images, (red > red.median()).long()), seewhy.Model(network))


@pytest.mark.parametrize("fill", ["mean", "resample", "zero"])
def test_the_planted_channel_is_found_first(fill):
    network, data = planted()
    found = effects_of(network, data, Channels(at="act", fill=fill), ONE)
    magnitude = found.score.abs().mean(dim=0)
    assert magnitude.argmax() == 3
    assert magnitude[3] > 5 * magnitude[[0, 1, 2, 4, 5, 6, 7]].max()
    assert found.loss.mean(dim=0).argmax() == 3


@pytest.mark.door
def test_settings_that_do_not_fit(pooled):
    with pytest.raises(seewhy.ConfigError, match=r"channels are replaced by one of .*; 'median' is not known"):
        Channels(fill="median")
    with pytest.raises(seewhy.ConfigError, match="repeats"):
        Channels(fill="mean", repeats=3)
    _, data = data_of(pooled, (1, 3, 8, 8))
    with pytest.raises(seewhy.ConfigError, match="only one"):
        learned(pooled, data, Channels(at="act", fill="resample"))
    with pytest.raises(seewhy.LayerError, match="no layer 'akt'"):
        learned(pooled, data, Channels(at="akt"))


def test_the_layer_that_methods_look_at_is_the_one_by_itself(pooled):
    _, data = data_of(pooled)
    units = learned(pooled, data, Channels())
    assert units.layer == "act"
    assert units.names[:2] == ("channel 0", "channel 1")
    assert units.replacement == "mean of the channel over 6 pictures and all positions"
    assert replace(units, fill="zero").replacement == "zero"


@pytest.mark.parametrize("by", ["ablation", "shapley", "contribution"])
def test_the_planted_channel_leads_a_ranking_that_holds(by):
    network, data = planted()
    gradients = by == "contribution"
    units = Channels(at="act", fill="zero" if gradients else "mean", gradients=gradients)
    found = importance_of(seewhy.Session(network), data, units, None, Plan(by=by))
    assert found.weights[0].unit == "channel 3"
    assert found.check.gap.low > 0


def test_shapley_values_where_all_that_follows_is_linear_are_what_ablation_finds(pooled):
    _, data = data_of(pooled)
    made = {
        by: importance_of(seewhy.Session(pooled), data, Channels(at="act"), ONE, Plan(by=by, check=False))
        for by in ("ablation", "shapley")
    }
    alone, shared = ({one.unit: one.magnitude.value for one in found.weights} for found in made.values())
    assert alone == pytest.approx(shared)
