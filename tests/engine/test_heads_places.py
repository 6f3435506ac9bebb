"""Heads are found where the numbers of weights times values are, whatever the network is written like."""

import pytest
import torch
from torch import nn
from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    Dinov2Config,
    Dinov2ForImageClassification,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

import seewhy
from networks import SmallViT, seeded
from seewhy.engine.attention.heads import HeadsPlace, heads_of

PLAIN = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}


def found(network, size=32):
    torch.manual_seed(0)
    session = seewhy.Session(network.eval())
    image = session.network.accept(torch.randn(1, 3, size, size))
    return heads_of(session.network, image)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize(
    ("make", "config", "block", "place"),
    [
        (ViTForImageClassification, ViTConfig, "vit.layers.1", "attention.o_proj:in"),
        (DeiTForImageClassification, DeiTConfig, "deit.layers.1", "attention.o_proj:in"),
        (Dinov2ForImageClassification, Dinov2Config, "dinov2.encoder.layer.1", "attention.o_proj:in"),
    ],
)
def test_transformers(make, config, block, place, implementation):
    places = found(make(config(**PLAIN, attn_implementation=implementation)))
    assert len(places) == 2
    assert places[1] == HeadsPlace(f"{block}.{place}", block, 4, 8)


def test_plain_multi_head_attention():
    assert found(seeded(SmallViT()), 8) == tuple(
        HeadsPlace(f"blocks.{number}.attention.out_proj:in", f"blocks.{number}", 2, 4) for number in (0, 1)
    )


def test_windows():
    config = SwinConfig(image_size=32, patch_size=2, embed_dim=16, depths=[2, 1], num_heads=[2, 4], window_size=4)
    places = found(SwinForImageClassification(config))
    assert [(place.heads, place.width) for place in places] == [(2, 8), (2, 8), (4, 8)]
    assert places[2].block == "swin.encoder.layers.1"


class _Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1))


def test_the_fused_encoder_of_torch():
    places = found(_Encoder())
    assert [place.place for place in places] == [f"encoder.layers.{n}.self_attn.out_proj:in" for n in (0, 1)]


class _Gated(nn.Module):
    """Attention whose heads are scaled by one number each before they are put together: `mixed` mixes them, too."""

    def __init__(self, mixed):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.project, self.out, self.head = nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, 4)
        self.mix = nn.Parameter(torch.randn(4, 4) if mixed else torch.eye(4))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.project(x).unflatten(-1, (3, 4, 4)).permute(2, 0, 3, 1, 4)
        y = torch.softmax(q @ k.transpose(-2, -1) / 2, dim=-1) @ v
        y = torch.einsum("bhnd,hg->bngd", y, self.mix).flatten(2)
        return self.head((x + self.out(y)).mean(dim=1))


def test_heads_that_are_mixed_before_are_not_taken_for_heads():
    assert found(_Gated(mixed=False)) == (HeadsPlace("out:in", "the network", 4, 4),)
    with pytest.raises(seewhy.MethodError, match="cannot be told apart"):
        found(_Gated(mixed=True))


@pytest.mark.door
def test_a_network_without_attention(cnn):
    with pytest.raises(seewhy.MethodError, match="no attention"):
        found(cnn, 8)


def test_with_weights_asked_for_and_without_batch_first():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 16, 8, 8)
            self.attention = nn.MultiheadAttention(16, 4)
            self.head = nn.Linear(16, 4)

        def forward(self, x):
            x = self.patches(x).flatten(2).permute(2, 0, 1)
            y, weights = self.attention(x, x, x)
            return self.head((x + y).mean(dim=0)) + weights.square().mean(dim=(1, 2))[:, None]

    assert found(Odd()) == (HeadsPlace("attention.out_proj:in", "attention", 4, 4),)
