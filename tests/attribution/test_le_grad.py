import pytest
import torch

import seewhy
from attention_oracle import CASES, spelled
from networks import SmallViT, seeded
from seewhy.targets import Channel


def drawn(network, images, target=0, **settings):
    return seewhy.Session(seewhy.Model(network)).explain(images, target, seewhy.method("le-grad", **settings)).heatmap


@pytest.mark.parametrize("last", [None, 1, 2, 5])
def test_by_hand(last, images):
    """The head on the output of each block, differentiated at that block's own weights."""
    network = seeded(SmallViT(blocks=3))
    weights, answers = spelled(network, images)
    maps = []
    for table, answer in zip(weights, answers, strict=True):
        (gradient,) = torch.autograd.grad(answer[:, 1].sum(), table, retain_graph=True)
        maps.append(gradient.clamp_min(0).mean(dim=1).mean(dim=1)[:, 1:].view(3, 4, 4))
    expected = torch.stack(maps[-(last or 3) :]).mean(dim=0)
    torch.testing.assert_close(drawn(network, images, 1, last=last, pool="head"), expected)


def test_the_mean_token_by_hand(images):
    """As in the authors' code: the tokens are averaged before the head."""
    network = seeded(SmallViT())
    x = network.patches(images).flatten(2).transpose(1, 2)
    x = torch.cat([network.token.expand(3, -1, -1), x], dim=1) + network.places
    maps = []
    for block in network.blocks:
        part, y = block.attention, block.norm1(x)
        q, k, v = (
            torch.nn.functional.linear(y, w, b).unflatten(-1, (2, 4)).transpose(1, 2)
            for w, b in zip(part.in_proj_weight.chunk(3), part.in_proj_bias.chunk(3), strict=True)
        )
        table = (q @ k.transpose(-2, -1) / 2).softmax(dim=-1)
        x = x + part.out_proj((table @ v).transpose(1, 2).flatten(2))
        x = x + block.mlp(block.norm2(x))
        answer = network.head(network.norm(x.mean(dim=1)))
        (gradient,) = torch.autograd.grad(answer[:, 2].sum(), table, retain_graph=True)
        maps.append(gradient.relu().mean(dim=(1, 2))[:, 1:].view(3, 4, 4))
    torch.testing.assert_close(drawn(network, images, 2), torch.stack(maps).mean(dim=0))


def test_a_pyramid_has_its_last_stage_and_says_so():
    case = CASES["swin"]
    found = seewhy.Session(seewhy.Model(case.build())).explain(case.images(), 0, "le-grad")
    assert found.heatmap.shape == (2, 8, 12)
    assert "the head fits the output of 2 of 4 layers; the others are left out" in found.notes[0]
    assert found.heatmap.amax(dim=(1, 2)).min() > 0


def test_one_layer_is_its_own_last(images):
    network = seeded(SmallViT(blocks=1))
    weights, answers = spelled(network, images)
    (gradient,) = torch.autograd.grad(answers[0][:, 0].sum(), weights)
    torch.testing.assert_close(
        drawn(network, images, pool="head"), gradient.relu().mean(dim=(1, 2))[:, 1:].view(3, 4, 4)
    )


def test_a_target_inside_the_network_is_refused(images):
    with pytest.raises(seewhy.MethodError, match="le-grad: the target looks inside"):
        drawn(seeded(SmallViT()), images, Channel("blocks.0.norm2", 1))


@pytest.mark.door
def test_bad_settings():
    with pytest.raises(seewhy.ConfigError, match="1 or more of the last layers, or None for all; got 0"):
        seewhy.method("le-grad", last=0)
    with pytest.raises(seewhy.ConfigError, match="'head' or 'mean', got 'max'"):
        seewhy.method("le-grad", pool="max")
