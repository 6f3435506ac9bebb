"""Swaps give what the same network gives under hooks of torch's own, wherever it is cut and however many layers are swapped."""

import pytest
import torch
from torch import nn
from transformers import SwinConfig, SwinForImageClassification

import seewhy
from networks import SmallCNN, SmallViT, seeded
from seewhy.core.needs import Needs
from seewhy.core.swap import Swap
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.recording import into
from seewhy.targets import ClassScore


def probe_of(network, images, layers, session=None):
    needs = Needs(outputs=frozenset(layers))
    session = session or seewhy.Session(network)
    block = session.block(session.network.accept(images), needs)
    return NetworkProbe(Question(block, ClassScore(1)), needs)


def hooked(network, images, swaps):
    """The answer under hooks of torch's own."""
    handles = [
        network.get_submodule(layer).register_forward_hook(
            lambda module, args, output, swap=swap: torch.where(
                swap.where, args[0] if swap.value is None else swap.value, output
            )
        )
        for layer, swap in swaps.items()
    ]
    try:
        with torch.no_grad():
            return network(images)
    finally:
        for handle in handles:
            handle.remove()


def drawn(shape, generator, images=3):
    """A swap of some random channels by random numbers, others for each image where `images` is more than 1."""
    where = torch.rand(1, shape[1], 1, 1, generator=generator) < 0.4
    return Swap(where, torch.randn(images, shape[1], 1, 1, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("layers", [("stem",), ("body",), ("act",), ("stem", "down"), ("body", "down", "act")])
@pytest.mark.parametrize("rows", [1, 3])
def test_they_give_what_hooks_give(cnn, images, layers, rows):
    generator = torch.Generator().manual_seed(0)
    probe = probe_of(cnn, images, layers)
    raw = probe.trace().raw
    swaps = [{layer: drawn(raw[layer].shape, generator, rows) for layer in layers} for _ in range(40)]
    for one, found in zip(swaps, probe.swapped(swaps), strict=True):
        torch.testing.assert_close(found, hooked(cnn, images, one))
    assert probe.remarks == ()  # it could be cut


def test_variants_that_begin_at_other_layers_come_in_their_order(cnn, images):
    generator = torch.Generator().manual_seed(0)
    probe = probe_of(cnn, images, ("stem", "down"))
    raw = probe.trace().raw
    swaps = [{layer: drawn(raw[layer].shape, generator)} for layer in ("stem", "down", "down", "stem", "down")] + [
        {},
        {layer: drawn(raw[layer].shape, generator) for layer in ("stem", "down")},
    ]
    for one, found in zip(swaps, probe.swapped(iter(swaps)), strict=True):
        torch.testing.assert_close(found, hooked(cnn, images, one))


def test_a_few_variants_run_the_whole_network_and_many_go_on_from_the_layer(cnn, images):
    generator = torch.Generator().manual_seed(0)
    probe = probe_of(cnn, images, ("body",))
    swaps = [{"body": drawn((1, 6, 8, 8), generator)} for _ in range(20)]
    begin = probe.cost
    list(probe.swapped(swaps[:2]))
    assert probe.cost.forwards - begin.forwards == 2
    list(probe.swapped(swaps))
    assert probe.cost == seewhy.Cost(begin.forwards + 3, 0, 20)  # one of them to find out what is needed to go on


def test_all_of_a_layer_swapped_for_what_it_was_given_leaves_the_layer_out(cnn, images):
    everything = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    found = list(probe_of(cnn, images, ("body", "body:in")).swapped([{"body": Swap(everything)}] * 4))
    with torch.no_grad():
        x = cnn.stem(images)
        expected = cnn.head(cnn.act(cnn.down(x + x)).mean(dim=(2, 3)))
    for one in found:
        torch.testing.assert_close(one, expected)


class _WritesIntoItsInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.block = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1))
        self.second = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.second(self.block(self.first(x))).mean(dim=(2, 3)))


def test_a_layer_that_writes_into_what_it_is_given_is_left_out_with_what_it_was_given(images):
    network = seeded(_WritesIntoItsInput())
    everything = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    probe = probe_of(network, images, ("block", "block:in", "second", "second:in"))
    found = list(probe.swapped([{"block": Swap(everything)}, {name: Swap(everything) for name in ("block", "second")}]))
    with torch.no_grad():
        expected = [network.second(network.first(images)), network.first(images)]
    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one, network.head(wanted.mean(dim=(2, 3))).detach())


def test_the_heads_of_multi_head_attention_are_what_its_last_layer_is_given():
    network = seeded(SmallViT())
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layers = [f"blocks.{block}.attention.out_proj:in" for block in (0, 1)]
    probe = probe_of(network, images, layers)
    torch.testing.assert_close(probe.trace().output, network(images).detach())
    where = torch.ones(1, 1, 1, dtype=torch.bool)
    swaps = {layer: Swap(where, torch.zeros(1, 1, 1, dtype=torch.float64)) for layer in layers}
    found = list(probe.swapped([swaps] * 4))
    found += probe.swapped([swaps])
    for block in network.blocks:  # what is given is zero: only the bias comes out
        block.attention.out_proj.weight.data.zero_()
    for one in found:
        torch.testing.assert_close(one, network(images).detach())


def test_windows_have_several_rows_for_each_image():
    torch.manual_seed(0)
    config = SwinConfig(image_size=16, patch_size=2, embed_dim=8, depths=[2], num_heads=[2], window_size=4)
    network = SwinForImageClassification(config).double().eval()
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    layer = "swin.encoder.layers.0.blocks.1.attention.o_proj:in"
    session = seewhy.Session(network)
    probe = probe_of(network, images, [layer], session)
    raw = probe.trace().raw[layer]
    assert raw.shape == (12, 16, 8)  # four windows of each
    other = torch.randn(raw.shape, dtype=torch.float64)
    where = torch.zeros(1, 1, 8, dtype=torch.bool)
    where[..., 4:] = True
    found = list(probe.swapped([{layer: Swap(where, other)}] * 4))
    few = list(probe.swapped([{layer: Swap(where, other)}]))
    projection = network.get_submodule(layer.removesuffix(":in"))
    handle = projection.register_forward_pre_hook(lambda module, args: torch.where(where, other, args[0]))
    with torch.no_grad():
        expected = network(images).logits
    handle.remove()
    for one in found + few:
        torch.testing.assert_close(one, expected)


def test_merged_norms_change_nothing_but_rounding():
    network = seeded(SmallCNN()).float()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    session = seewhy.Session(network)
    probe = probe_of(network, images, ["body"], session)
    where = torch.eye(6, dtype=torch.bool).view(6, 1, 6, 1, 1)
    swaps = [{"body": Swap(one, torch.zeros(1, 1, 1, 1))} for one in where]
    for one, found in zip(swaps, probe.swapped(swaps), strict=True):
        torch.testing.assert_close(found, hooked(network, images, one), atol=1e-5, rtol=1e-5)
    lean = session.network.merged(images, frozenset({"body"}))
    assert lean is not session.network
    assert lean.cuts  # it is the merged network that was cut
    assert not session.network.cuts


def test_a_layer_whose_output_merging_would_change_is_swapped_in_the_network_itself(cnn, images):
    session = seewhy.Session(cnn)
    probe = probe_of(cnn, images, ["stem.0"], session)
    swap = {"stem.0": drawn((1, 6, 8, 8), torch.Generator().manual_seed(0))}
    for found in probe.swapped([swap] * 4):
        torch.testing.assert_close(found, hooked(cnn, images, swap))


class _NormBehind(nn.Module):
    """A norm reads what the block before gave; merged, that block would give something else to it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))
        self.second = nn.Sequential(nn.BatchNorm2d(4), nn.Tanh())
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.second(self.first(x)).mean(dim=(2, 3)))


def test_what_a_layer_is_given_is_not_changed_by_merging(images):
    network = seeded(_NormBehind())
    probe = probe_of(network, images, ["second", "second:in"])
    found = probe.swapped([{"second": Swap(torch.ones(1, 1, 1, 1, dtype=torch.bool))}] * 4)
    with torch.no_grad():
        expected = network.head(network.first(images).mean(dim=(2, 3)))
    for one in found:
        torch.testing.assert_close(one, expected)


@pytest.mark.door
def test_a_layer_that_was_not_asked_for(cnn, images):
    swap = Swap(torch.ones(1, 1, 1, 1, dtype=torch.bool), torch.zeros(1, 1, 1, 1))
    with pytest.raises(seewhy.LayerError, match="not among the needs"):
        list(probe_of(cnn, images, ["stem"]).swapped([{"body": swap}]))


def test_names_of_what_a_layer_is_given():
    assert into("relu") == "relu:in"
    assert into("relu#2") == "relu:in#2"
