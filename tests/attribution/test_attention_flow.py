import networkx as nx
import pytest
import torch

import seewhy
from attention_oracle import CASES, spelled
from networks import SmallViT, seeded


def drawn(network, images, **settings):
    return seewhy.Session(seewhy.Model(network)).explain(images, 0, seewhy.method("attention-flow", **settings)).heatmap


def test_by_another_algorithm(images):
    """The same pipes as a graph of networkx, one flow for each of some patches."""
    network = seeded(SmallViT())
    weights, _ = spelled(network, images[:1])
    pipes = nx.DiGraph()
    for layer, table in enumerate(weights, start=1):
        mixed = (table[0].mean(dim=0) + torch.eye(17, dtype=torch.float64)) / 2
        for i in range(17):
            for j in range(17):
                pipes.add_edge((layer, i), (layer - 1, j), capacity=mixed[i, j].item())
    pipes.add_edge("supply", (2, 0), capacity=1.0)
    found = drawn(network, images[:1]).flatten()
    for patch in (0, 5, 15):
        expected = nx.maximum_flow_value(pipes, "supply", (0, 1 + patch))
        assert found[patch].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("heads", ["mean", "max"])
def test_one_layer_lets_through_what_it_looks_at(heads, images):
    network = seeded(SmallViT(blocks=1))
    table = spelled(network, images)[0][0]
    mixed = table.mean(dim=1) if heads == "mean" else table.amax(dim=1)
    row = mixed[:, 0] / mixed[:, 0].sum(dim=-1, keepdim=True) / 2
    torch.testing.assert_close(drawn(network, images, heads=heads), row[:, 1:].view(3, 4, 4), rtol=0, atol=2e-8)


def test_nothing_flows_that_a_patch_cannot_take(images):
    """No more than the class token has, and no more than all pipes into the patch let through."""
    network = seeded(SmallViT(blocks=3))
    weights, _ = spelled(network, images)
    into = ((weights[0].mean(dim=1) + torch.eye(17, dtype=torch.float64)) / 2).sum(dim=1)[:, 1:].view(3, 4, 4)
    found = drawn(network, images)
    assert (found <= into.clamp_max(1) + 1e-7).all()
    assert found.min() > 0.3  # three layers of nearly even attention: a patch's own layer is the narrow place


def test_merged_tokens_are_refused():
    case = CASES["swin"]
    with pytest.raises(seewhy.MethodError, match=r"attention-flow: .* wants the same tokens in all layers"):
        drawn(case.build(), case.images(1))


@pytest.mark.door
def test_bad_settings():
    with pytest.raises(seewhy.ConfigError, match="attention-flow mixes heads by 'mean', 'max' or 'min', got 'all'"):
        seewhy.method("attention-flow", heads="all")
