"""Blocks are what adds to what it is given, in the order in which it begins."""

import pytest
import torch
from torch import nn
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    SwinConfig,
    SwinForImageClassification,
)

import seewhy
from networks import SmallViT, seeded
from seewhy.engine.blocks import blocks_of


def found(network, size=64, named=()):
    session = seewhy.Session(network.eval())
    image = session.network.accept(torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)))
    return blocks_of(session.network, image, named)


def test_blocks_of_a_transformer():
    assert [(place.name, place.residual) for place in found(seeded(SmallViT()), 8)] == [
        ("blocks.0", True),
        ("blocks.1", True),
    ]


def test_the_first_block_of_a_stage_changes_the_shape_and_is_a_block_all_the_same():
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2], layer_type="basic")
    places = found(ResNetForImageClassification(config))
    assert [place.name.removeprefix("resnet.encoder.") for place in places] == [
        f"stages.{stage}.layers.{layer}" for stage in (0, 1) for layer in (0, 1)
    ]
    assert [(place.fits, place.residual) for place in places] == [
        (True, True),
        (True, True),
        (False, False),
        (True, True),
    ]


def test_stages_are_no_blocks_where_their_layers_are():
    swin = SwinConfig(image_size=32, patch_size=2, embed_dim=16, depths=[2, 1], num_heads=[2, 4], window_size=4)
    assert [place.kind for place in found(SwinForImageClassification(swin), 32)] == ["SwinLayer"] * 3
    convnext = ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 2, 1, 1])
    assert [place.kind for place in found(ConvNextForImageClassification(convnext))] == ["ConvNextLayer"] * 5


def test_inverted_bottlenecks_that_do_not_add_count_beside_those_that_do():
    places = found(MobileNetV2ForImageClassification(MobileNetV2Config(depth_multiplier=0.25)))
    assert len(places) == 16
    assert sum(place.residual for place in places) == 10  # Sandler et al. 2018, table 2: n - 1 of each row


def test_a_chain_without_shortcuts():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    assert [place.name for place in found(network, 8)] == ["0", "3", "6"]


def test_named_ones_come_in_the_order_in_which_they_run(cnn):
    assert [place.name for place in found(cnn, 8, ("down", "stem"))] == ["stem", "down"]


@pytest.mark.door
def test_no_blocks_and_unknown_names(cnn):
    with pytest.raises(seewhy.MethodError, match="name the modules"):
        found(cnn, 8)
    with pytest.raises(seewhy.LayerError, match=r"no layer 'stom'.*stem"):
        found(cnn, 8, ("stom",))


class _Twice(nn.Module):
    """One block that runs twice."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x):
            return torch.relu(x + self.conv(x))

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 4, 1), self.Block(), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.block(self.block(self.stem(x))).mean(dim=(2, 3)))


@pytest.mark.door
def test_a_block_that_runs_twice_is_two():
    assert [place.name for place in found(_Twice(), 8)] == ["block#0", "block#1"]
    with pytest.raises(seewhy.LayerError, match="runs 2 times per pass; name one call: block#0, block#1"):
        found(_Twice(), 8, ("block",))
