"""Heads taken away: alone and all together, against hooks of torch's own."""

import pytest
import torch
from torch import nn
from transformers import SwinConfig, SwinForImageClassification, ViTConfig, ViTForImageClassification

import seewhy
from networks import SmallViT, seeded
from seewhy.contributions.heads import Heads
from seewhy.contributions.units import first_of, one_at_a_time
from seewhy.data.dataset import dataset
from seewhy.targets import ClassScore
from units_asked import asked_of, data_of, effects_of

ONE = ClassScore(1)


def transformer():
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=48, image_size=16, patch_size=4
    )
    network = ViTForImageClassification(config).double().eval()
    for value in network.parameters():
        value.data = value.data + 0.2 * torch.randn_like(value)
    return network


def given_to(network, names, images):
    """What layers are given, in a pass without any of the library."""
    kept = {}
    handles = [
        network.get_submodule(name).register_forward_pre_hook(
            lambda module, args, name=name: kept.update({name: args[0].detach()})
        )
        for name in names
    ]
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return kept


def mean_of(given):
    """The mean over pictures and patches; the class token has its own."""
    patches = given[:, 1:].mean(dim=(0, 1)).expand(given.shape[1] - 1, -1)
    return torch.cat([given[:, :1].mean(dim=0), patches])


def test_each_and_in_a_random_order_as_hooks_give_it():
    network = transformer()
    images, data = data_of(network, (4, 3, 16, 16))
    names = [f"vit.layers.{layer}.attention.o_proj" for layer in range(3)]
    means = {name: mean_of(given) for name, given in given_to(network, names, images).items()}
    ((asked, _),) = asked_of(network, data, Heads(), ONE)
    assert asked.units.names[:4] == (
        "vit.layers.0 head 0", "vit.layers.0 head 1", "vit.layers.0 head 2", "vit.layers.1 head 0",
    )  # fmt: skip
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    gone = [*one_at_a_time(9), *first_of(order, range(10))]
    for which, found in zip(gone, asked.units.answers(asked.probe, iter(gone)), strict=True):
        handles = []
        for name, heads in zip(names, which.view(3, 3), strict=True):
            channels = heads.repeat_interleave(8)
            hook = lambda module, args, channels=channels, mean=means[name]: torch.where(channels, mean, args[0])  # noqa: E731
            handles.append(network.get_submodule(name).register_forward_pre_hook(hook))
        with torch.no_grad():
            expected = network(images).logits
        for handle in handles:
            handle.remove()
        torch.testing.assert_close(found, expected)
    assert asked.probe.remarks == ()  # replayed from the first head that is gone


def test_all_heads_of_a_layer_are_all_that_its_projection_is_given():
    network = seeded(SmallViT())
    images, data = data_of(network, (4, 3, 8, 8))
    ((asked, _),) = asked_of(network, data, Heads(within=("blocks.1",)), ONE)
    assert asked.units.names == ("blocks.1 head 0", "blocks.1 head 1")
    assert asked.units.layer == "blocks.1"
    (found,) = asked.units.answers(asked.probe, [torch.ones(2, dtype=torch.bool)])
    joined = asked.probe.trace().raw["blocks.1.attention.out_proj:in"]
    with torch.no_grad():
        x = network.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([network.token.expand(4, -1, -1), x], dim=1) + network.places
        x = network.blocks[0](x)
        block = network.blocks[1]
        x = x + block.attention.out_proj(mean_of(joined))
        x = x + block.mlp(block.norm2(x))
        expected = network.head(network.norm(x)[:, 0])
    torch.testing.assert_close(found, expected)


class OneHeadMatters(nn.Module):
    """Four heads of width two; only what head 2 says about the pictures is read."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.attention = nn.MultiheadAttention(8, 4, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.attention(x, x, x)[0].mean(dim=1))


@pytest.mark.parametrize("fill", ["mean", "resample", "blur", "zero"])
def test_the_planted_head_is_found_first_and_the_others_do_nothing(fill):
    network = seeded(OneHeadMatters())
    network.attention.out_proj.weight.data[:, [0, 1, 2, 3, 6, 7]] = 0
    _, data = data_of(network, (5, 3, 16, 16))
    found = effects_of(network, data, Heads(fill=fill), ONE)
    assert found.score.shape == (5, 4)
    assert (found.score[:, 2].abs() > 1e-3).all()
    torch.testing.assert_close(found.score[:, [0, 1, 3]], torch.zeros(5, 3).double(), atol=1e-12, rtol=0)


def test_windows_of_a_picture_count_as_its_tokens():
    torch.manual_seed(0)
    config = SwinConfig(image_size=16, patch_size=2, embed_dim=8, depths=[2], num_heads=[2], window_size=4)
    network = SwinForImageClassification(config).double().eval()
    images, data = data_of(network, (3, 3, 16, 16))
    name = "swin.encoder.layers.0.blocks.0.attention.o_proj"
    mean = given_to(network, [name], images)[name].mean(dim=(0, 1))
    found = effects_of(network, data, Heads(), ONE)
    channels = torch.arange(8) >= 4  # head 1
    handle = network.get_submodule(name).register_forward_pre_hook(
        lambda module, args: torch.where(channels, mean, args[0])
    )
    with torch.no_grad():
        gone = network(images).logits[:, 1]
    handle.remove()
    torch.testing.assert_close(found.score[:, 1], network(images).logits[:, 1].detach() - gone)
    assert found.sizes.shape == (3, 4)


@pytest.mark.parametrize("fill", ["mean", "resample", "blur"])
def test_the_size_of_the_batch_changes_nothing(fill):
    network = transformer()
    _, data = data_of(network, (5, 3, 16, 16))
    one, all_at_once = (effects_of(network, data, Heads(fill=fill), ONE, rows=rows).score for rows in (1, 5))
    torch.testing.assert_close(one, all_at_once, atol=1e-12, rtol=1e-10)


@pytest.mark.door
def test_without_attention_and_within_what_has_none(cnn):
    _, data = data_of(cnn)
    with pytest.raises(seewhy.MethodError, match="no attention"):
        Heads().learned(seewhy.Session(cnn), data, 0)
    network = seeded(SmallViT())
    data = dataset((torch.zeros(2, 3, 8, 8, dtype=torch.float64), torch.zeros(2)), seewhy.Model(network))
    with pytest.raises(
        seewhy.ConfigError, match=r"no attention is within head; blocks with attention: blocks\.0, blocks\.1"
    ):
        Heads(within=("head",)).learned(seewhy.Session(network), data, 0)
