"""LibraGrad: complete on stock transformers, and the gradient of a network in which the cuts are made by hand."""

import pytest
import torch
from torch import Tensor, nn
from transformer_zoo import ZOO, explained, images_for, made

import seewhy
from networks import SmallCNN, seeded


@pytest.mark.parametrize("name", ZOO)
def test_without_constants_it_is_complete(name):
    found = explained(made(name, constants=False), images_for(name), "libra-grad")
    plain = explained(made(name, constants=False), images_for(name), "input-x-gradient")
    assert found.residual.abs().max() < 1e-11 * found.heatmap.abs().sum(dim=(1, 2)).max()
    assert (found.score - plain.heatmap.sum(dim=(1, 2))).abs().max() > 1e-3 * found.score.abs().max()
    assert found.coverage.kinds("fallback gradient") == ()


class Block(nn.Module):
    """Norm, attention, and a gated network; what LibraGrad cuts is cut here by hand where `cut` says so."""

    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        self.cut = cut
        self.embed, self.query, self.key, self.value, self.gate, self.up = (nn.Linear(n, 6) for n in (3, 6, 6, 6, 6, 6))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 4)

    def constant(self, x: Tensor) -> Tensor:
        return x.detach() if self.cut else x

    def forward(self, x: Tensor) -> Tensor:
        t = self.embed(x.flatten(2).transpose(1, 2))
        deviation = self.constant((t.var(-1, unbiased=False, keepdim=True) + self.norm.eps).sqrt())
        u = (t - t.mean(-1, keepdim=True)) / deviation * self.norm.weight + self.norm.bias
        weights = self.constant((self.query(u) @ self.key(u).transpose(1, 2)).softmax(-1))
        t = t + weights @ self.value(u)
        gate = self.gate(t)
        fused = gate * self.constant(gate.sigmoid()) * self.up(t)
        if self.cut:
            fused = fused.detach() + (fused - fused.detach()) / 2
        return self.head((t + fused).mean(dim=1))


def test_it_is_input_x_gradient_of_a_network_with_the_cuts_made_by_hand(images):
    free, cut = seeded(Block(cut=False)), seeded(Block(cut=True))
    leaf = images[:, :, :4, :4].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cut(leaf)[:, 2].sum(), leaf)
    found = explained(free, leaf.detach(), "libra-grad")
    torch.testing.assert_close(found.heatmap, (leaf.detach() * gradient).sum(dim=1))
    with torch.no_grad():
        torch.testing.assert_close(found.score, free(leaf)[:, 2])


def test_on_a_relu_network_it_is_input_x_gradient(images):
    network = seeded(SmallCNN())
    found, expected = (explained(network, images, key).heatmap for key in ("libra-grad", "input-x-gradient"))
    torch.testing.assert_close(found, expected)


class TestLayers:
    BLOCKS = ("blocks.0", "blocks.1")

    def test_the_mean_over_blocks(self):
        network, images = made("nn.MultiheadAttention"), images_for("nn.MultiheadAttention")
        whole = explained(network, images, "libra-grad", layers=self.BLOCKS[:1])
        assert whole.heatmap.shape == (2, 4, 4)
        parts = [explained(network, images, "libra-grad", layers=name).heatmap for name in ("patches", "blocks.0")]
        both = explained(network, images, "libra-grad", layers=("patches", "blocks.0")).heatmap
        torch.testing.assert_close(both, (parts[0] + parts[1]) / 2)

    def test_all_that_reaches_the_patches_reaches_the_pixels(self):
        """Behind the patches' own bias nothing is lost between the two, so their maps have the same sum in each patch."""
        network, images = made("nn.MultiheadAttention", constants=False), images_for("nn.MultiheadAttention")
        pixels, patches = (
            explained(network, images, "libra-grad", layers=name).heatmap for name in ("input", "patches")
        )
        torch.testing.assert_close(torch.nn.functional.avg_pool2d(pixels, 2) * 4, patches)

    def test_layers_of_two_grids_are_refused(self, cnn, images):
        with pytest.raises(seewhy.MethodError, match="several grids"):
            explained(cnn, images, "libra-grad", layers=("body", "down"))

    def test_no_layer_is_refused(self):
        with pytest.raises(seewhy.ConfigError, match="at least one layer"):
            seewhy.method("libra-grad", layers=())
