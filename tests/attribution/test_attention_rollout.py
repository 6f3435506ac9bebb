import pytest
import torch
from torch import nn

import seewhy
from attention_oracle import CASES, VIT, Case, probe_of, spelled
from networks import SmallViT, seeded


def drawn(network, images, method="attention-rollout"):
    return seewhy.Session(seewhy.Model(network)).explain(images, 0, method).heatmap


class Toy(nn.Module):
    """Three tokens: a class token and the two columns of a 1 x 2 picture. What they look at stands in tables."""

    def __init__(self, tables: list[list[list[float]]]) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 2, 1)
        self.norm = nn.LayerNorm(2)
        self.token = nn.Parameter(torch.zeros(1, 1, 2))
        self.tables = [torch.tensor(table, dtype=torch.float64).log() for table in tables]

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.norm(torch.cat([self.token.expand(len(x), -1, -1), x], dim=1))
        for table in self.tables:
            queries = torch.zeros_like(x)[:, None]
            mixed = nn.functional.scaled_dot_product_attention(queries, queries, x[:, None], attn_mask=table)
            x = self.norm(x + mixed[:, 0])
        return x[:, 0]


def test_by_pencil():
    """B = (A + I) / 2. Class token's row of the last: (0.6, 0.1, 0.3). Times the first, whose rows are (0.75, 0.25, 0),
    (0.25, 0.5, 0.25), (0, 0.25, 0.75): (0.475, 0.275, 0.25).
    """
    first = [[0.5, 0.5, 1e-300], [0.5, 1e-300, 0.5], [1e-300, 0.5, 0.5]]
    last = [[0.2, 0.2, 0.6], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]]
    found = drawn(seeded(Toy([first, last])), torch.rand(1, 1, 1, 2, dtype=torch.float64))
    assert found.flatten().tolist() == pytest.approx([0.275, 0.25])


def rolled(weights, heads="mean"):
    """The whole matrices, multiplied in the order of the paper."""
    rollout = torch.eye(weights[0].shape[-1], dtype=torch.float64).expand(len(weights[0]), -1, -1)
    for layer in weights:
        mixed = {"mean": layer.mean(dim=1), "max": layer.amax(dim=1), "min": layer.amin(dim=1)}[heads]
        mixed = mixed / mixed.sum(dim=-1, keepdim=True)
        rollout = (0.5 * mixed + 0.5 * torch.eye(mixed.shape[-1], dtype=torch.float64)) @ rollout
    return rollout


@pytest.mark.parametrize("heads", ["mean", "max", "min"])
def test_by_whole_matrices(heads, images):
    network = seeded(SmallViT(blocks=3))
    weights, _ = spelled(network, images)
    expected = rolled(weights, heads)[:, 0, 1:].view(3, 4, 4)
    torch.testing.assert_close(drawn(network, images, seewhy.method("attention-rollout", heads=heads)), expected)


def test_two_tokens_without_a_place_count_equally():
    """Class and distillation token, where the answer is read from both."""
    case = Case(
        "DeiTConfig", (32, 48), VIT | {"patch_size": 8}, "DeiTAttention", "DeiTForImageClassificationWithTeacher"
    )
    network, images = case.build(), case.images()
    rollout = rolled([trace.weights for trace in probe_of(network, images).attention()])
    expected = rollout[:, :2, 2:].mean(dim=1).view(2, 4, 6)
    torch.testing.assert_close(drawn(network, images), expected)


def test_swin_by_whole_matrices():
    """Windows spread over all tokens, and a matrix that divides each merged token among its four."""
    case = CASES["swin"]
    network, images = case.build(), case.images()
    traces = probe_of(network, images).attention()
    fine, coarse = (rolled([trace.spread(trace.weights) for trace in part]) for part in (traces[:2], traces[2:]))
    merged = torch.zeros(8, 12, 16, 24, dtype=torch.float64)
    for row in range(16):
        for column in range(24):
            merged[row // 2, column // 2, row, column] = 0.25
    rollout = coarse @ merged.view(96, 384) @ fine
    expected = rollout.mean(dim=1).view(2, 16, 24)
    torch.testing.assert_close(drawn(network, images), expected)
    torch.testing.assert_close(expected.sum(dim=(1, 2)), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-6)


def test_tokens_moved_about_move_the_map(images):
    """The patches in another order, with their positions: the map is in that order too."""
    network = seeded(SmallViT())
    turned = seeded(SmallViT())
    turned.places.data[:, 1:] = turned.places.data[:, 1:].view(1, 4, 4, 8).flip(2).reshape(1, 16, 8)
    moved = images.view(3, 3, 8, 4, 2).flip(3).reshape(3, 3, 8, 8)  # columns of patches, each as it is
    torch.testing.assert_close(drawn(turned, moved), drawn(network, images).flip(2))


def test_a_head_that_looks_nowhere_in_particular_counts_as_even(images):
    """With the queries of a head at zero its weights are all 1 / 17, and the rollout is that of such weights."""
    network = seeded(SmallViT(heads=1, blocks=1))
    network.blocks[0].attention.in_proj_weight.data[:8] = 0
    network.blocks[0].attention.in_proj_bias.data[:8] = 0
    torch.testing.assert_close(drawn(network, images), torch.full((3, 4, 4), 0.5 / 17, dtype=torch.float64))


@pytest.mark.door
def test_bad_settings():
    with pytest.raises(seewhy.ConfigError, match="from 0 to below 1, got 1"):
        seewhy.method("attention-rollout", discard=1.0)
    with pytest.raises(seewhy.ConfigError, match="got 'median'"):
        seewhy.method("attention-rollout", heads="median")


def test_what_is_looked_at_least_is_left_out(images):
    network = seeded(SmallViT(blocks=1))
    weights = spelled(network, images)[0][0].mean(dim=1)[:, 0]  # (b, 17)
    least = weights.sort(dim=1).indices[:, :8]  # half of seventeen
    kept = weights.scatter(1, least, 0.0)
    expected = (0.5 * kept / kept.sum(dim=1, keepdim=True))[:, 1:].view(3, 4, 4)
    torch.testing.assert_close(drawn(network, images, seewhy.method("attention-rollout", discard=0.5)), expected)
