"""AttnLRP: against the paper's rules written out for one attention, numbers of a peer, and stock transformers."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformer_zoo import ZOO, explained, images_for, made

import seewhy
from networks import seeded


class OneAttention(nn.Module):
    """Embedding, layer norm, attention, a way past it, and a head that reads one token."""

    def __init__(self, *, norm: bool, fused: bool = False) -> None:
        super().__init__()
        self.norm, self.fused = norm, fused
        self.e, self.q, self.k, self.v, self.o = (nn.Linear(n, 6) for n in (3, 6, 6, 6, 6))
        self.h, self.n = nn.Linear(6, 4), nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        t = self.e(x.flatten(2).transpose(1, 2))
        u = self.n(t) if self.norm else t
        q, k, v = self.q(u), self.k(u), self.v(u)
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v, scale=0.4)
        else:
            mixed = (q @ k.transpose(-2, -1) * 0.4).softmax(-1) @ v
        return self.h((t + self.o(mixed))[:, 3])


def pixels() -> Tensor:
    return torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def through_linear(layer: nn.Linear, x: Tensor, z: Tensor, given: Tensor) -> Tensor:
    """Share by R_i = sum_j x_i w_ij / z_j R_j."""
    return x * ((given / z) @ layer.weight)


def by_hand(network: OneAttention, image: Tensor) -> Tensor:
    """Return the relevance of each pixel by the paper's rules, relevance by relevance, for a network without a norm."""
    x = image.flatten(1).T
    t = network.e(x)
    q, k, v = network.q(t), network.k(t), network.v(t)
    scores = q @ k.T * 0.4
    weights = scores.softmax(-1)
    mixed = weights @ v
    out = network.o(mixed)
    total = t + out
    answer = network.h(total[3])
    given = torch.zeros_like(total)
    given[3] = total[3] * network.h.weight[2] / answer[2] * answer[2]
    r_t, r_out = given * t / total, given * out / total
    r_mixed = through_linear(network.o, mixed, out, r_out)
    share = r_mixed / (2 * mixed)  # half of the relevance of a product for each factor
    r_weights, r_v = weights * (share @ v.T), v * (weights.T @ share)
    r_scores = scores * (r_weights - weights * r_weights.sum(-1, keepdim=True))  # the tangent of softmax
    share = r_scores / (2 * scores) * 0.4
    r_q, r_k = q * (share @ k), k * (share.T @ q)
    for layer, made_, relevance in ((network.q, q, r_q), (network.k, k, r_k), (network.v, v, r_v)):
        r_t = r_t + through_linear(layer, t, made_, relevance)
    return through_linear(network.e, x, t, r_t).sum(dim=1).view(image.shape[1:])


class TestOracles:
    @pytest.mark.parametrize("fused", [False, True])
    def test_the_papers_rules_written_out(self, fused):
        network = seeded(OneAttention(norm=False, fused=fused))
        found = explained(network, pixels(), "attn-lrp", gamma=0.0, gamma_convolution=0.0, epsilon=0.0).heatmap
        expected = torch.stack([by_hand(network, image) for image in pixels()]).detach()
        torch.testing.assert_close(found, expected)

    @pytest.mark.parametrize(
        ("norm", "row", "sums"),
        [
            (False, (-6.87526789e-04, -3.08971608e-04, 9.82558804e-04, -5.03944259e-01), (-0.50970968, 0.00700442)),
            (True, (-2.36276372e-03, -3.16419641e-03, 3.08044529e-05, -5.06059903e-01), (-0.51253984, 0.00595441)),
        ],
    )
    def test_lxts_numbers(self, norm, row, sums):
        """The first row, and the sums, of the maps that LXT 2.1's explicit rules gave for this network, with PyTorch's own weights for seed 0."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = OneAttention(norm=norm).double().eval()
        found = explained(network, pixels(), "attn-lrp", gamma=0.0, gamma_convolution=0.0, epsilon=1e-12)
        expected = torch.tensor(row, dtype=torch.float64), torch.tensor(sums, dtype=torch.float64)
        torch.testing.assert_close((found.heatmap[0, 0], found.heatmap.sum(dim=(1, 2))), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ZOO)
def test_stock_transformers(name):
    """All operations have a rule; fused and written-out attention give the same; another class has another map."""
    network, images = made(name), images_for(name)
    found = explained(network, images, "attn-lrp")
    assert found.coverage.kinds("fallback gradient") == found.coverage.kinds("unsupported") == ()
    torch.testing.assert_close(found.residual, found.score - found.heatmap.sum(dim=(1, 2)))
    other = explained(network, images, "attn-lrp", target=1)
    assert (found.heatmap - other.heatmap).abs().max() > 0.01 * found.heatmap.abs().max()


def test_attention_fused_and_written_out():
    maps = [explained(made(name), images_for("ViT"), "attn-lrp").heatmap for name in list(ZOO)[:2]]
    torch.testing.assert_close(*maps)


def test_softmax_alone_keeps_what_its_tangent_does_not_explain():
    """With a score that is a weighted sum of softmax(x): R_i = x_i s_i (w_i - sum_j s_j w_j)."""

    class Soft(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grid, self.weights = nn.Identity(), nn.Parameter(weights)

        def forward(self, x: Tensor) -> Tensor:
            return self.grid(x).flatten(1).softmax(-1) @ self.weights

    weights = torch.randn(48, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    network, images = Soft(), pixels()
    found = seewhy.Session(seewhy.Model(network.double(), mean=0.5, std=0.5, layer="grid")).explain(
        images, 2, seewhy.method("attn-lrp", gamma=0.0, epsilon=0.0)
    )
    x, s, w = images.flatten(1), images.flatten(1).softmax(-1), weights[:, 2]
    expected = (x * s * (w - (s @ w)[:, None])).view_as(images).sum(dim=1)
    torch.testing.assert_close(found.heatmap, expected)


def test_gamma_makes_the_map_calmer():
    """The more gamma, the less of the map cancels."""
    network, images = made("ViT"), images_for("ViT")
    settings = [(0.0, 0.0), (0.05, 0.25), (10.0, 10.0)]
    maps = [explained(network, images, "attn-lrp", gamma=a, gamma_convolution=b).heatmap for a, b in settings]
    shares = [(one.sum(dim=(1, 2)).abs() / one.abs().sum(dim=(1, 2))).mean() for one in maps]
    assert shares[2] > shares[0]


def test_negative_numbers_are_refused():
    for settings in ({"gamma": -0.1}, {"gamma_convolution": -1.0}, {"epsilon": -1e-9}):
        with pytest.raises(seewhy.ConfigError, match="must not be negative"):
            seewhy.method("attn-lrp", **settings)
