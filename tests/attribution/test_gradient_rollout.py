import pytest
import torch

import seewhy
from attention_oracle import CASES, probe_of, spelled
from networks import SmallViT, seeded


def drawn(network, images, target=0):
    return seewhy.Session(seewhy.Model(network)).explain(images, target, "gradient-rollout").heatmap


def test_by_plain_loops(images):
    """R <- R + C R, written out number by number, for one image."""
    network = seeded(SmallViT())
    weights, answers = spelled(network, images[:1])
    gradients = torch.autograd.grad(answers[-1][0, 2], weights)
    relevance = [[float(i == j) for j in range(17)] for i in range(17)]
    for table, gradient in zip(weights, gradients, strict=True):
        carried = [[0.0] * 17 for _ in range(17)]
        for i in range(17):
            for j in range(17):
                products = [(gradient[0, head, i, j] * table[0, head, i, j]).item() for head in range(2)]
                share = sum(max(product, 0.0) for product in products) / 2
                for k in range(17):
                    carried[i][k] += share * relevance[j][k]
        relevance = [[relevance[i][k] + carried[i][k] for k in range(17)] for i in range(17)]
    expected = torch.tensor(relevance[0][1:], dtype=torch.float64).view(1, 4, 4)
    torch.testing.assert_close(drawn(network, images[:1], 2), expected, rtol=1e-9, atol=1e-15)


def relevance_of(traces):
    """The whole matrix R of layers with the same tokens."""
    relevance = torch.eye(traces[0].tokens, dtype=torch.float64)
    for trace in traces:
        matrix = trace.spread((trace.slope * trace.weights).relu().mean(dim=1))
        relevance = relevance + matrix @ relevance
    return relevance


def test_swin_by_whole_matrices():
    case = CASES["swin, padded"]
    network, images = case.build(), case.images()
    traces = probe_of(network, images).attention(gradients=True)
    grids = [trace.grid for trace in traces]
    assert grids == [(14, 18), (14, 18), (7, 9), (7, 9)]
    merged = torch.zeros(7, 9, 14, 18, dtype=torch.float64)
    for row in range(14):
        for column in range(18):
            merged[row // 2, column // 2, row, column] = 0.25
    merged = merged.view(63, 252)
    whole = relevance_of(traces[2:]) @ merged @ relevance_of(traces[:2]) - merged
    torch.testing.assert_close(drawn(network, images), whole.mean(dim=1).view(2, 14, 18), rtol=1e-7, atol=1e-12)


def test_a_head_whose_values_are_zero_changes_nothing(images):
    """Weights that are multiplied with zeros have no gradient: the map is that of the other head alone."""
    network = seeded(SmallViT(blocks=1))
    part = network.blocks[0].attention
    part.in_proj_weight.data[20:] = 0  # the values of the second head
    part.in_proj_bias.data[20:] = 0
    trace = probe_of(network, images).attention(gradients=True)[0]
    assert not trace.slope[:, 1].any()
    first = (trace.slope * trace.weights).relu()[:, 0, 0, 1:] / 2
    torch.testing.assert_close(drawn(network, images), first.view(3, 4, 4))


def test_targets_have_maps_of_their_own_and_twice_the_score_of_one_layer_twice_the_map(images):
    network = seeded(SmallViT(blocks=1))
    session = seewhy.Session(seewhy.Model(network))
    first, second = (session.explain(images, target, "gradient-rollout").heatmap for target in (0, 1))
    assert (first - second).abs().max() > 1e-4 * first.max()
    doubled = session.explain(images, 2 * seewhy.targets.ClassScore(0), "gradient-rollout").heatmap
    torch.testing.assert_close(doubled, 2 * first)


def test_it_costs_one_way_back(images):
    found = seewhy.Session(seewhy.Model(seeded(SmallViT()))).explain(images, 0, "gradient-rollout")
    assert (found.cost.forwards, found.cost.backwards) == (2, 1)


def test_refuses_convolutional_networks(cnn, images):
    with pytest.raises(seewhy.MethodError, match="gradient-rollout: this network has no self-attention"):
        drawn(cnn, images)
