"""CP-LRP: conservation on stock transformers of any depth, and that nothing comes back through queries and keys."""

import pytest
import torch
from torch import Tensor, nn
from transformer_zoo import VIT, ZOO, explained, images_for, made

import seewhy
from networks import SmallCNN, seeded


@pytest.mark.parametrize("name", ZOO)
def test_without_constants_the_score_arrives_at_the_pixels(name):
    found = explained(made(name, constants=False), images_for(name), "cp-lrp", epsilon=0.0)
    assert found.residual.abs().max() < 1e-11 * found.heatmap.abs().sum(dim=(1, 2)).max()
    assert found.heatmap.abs().max() > 0
    assert found.coverage.kinds("fallback gradient") == ()


def test_twelve_blocks_conserve_as_well_as_two():
    for blocks in (2, 12):
        network = made("ViT", constants=False, **{**VIT, "num_hidden_layers": blocks})
        found = explained(network, images_for("ViT"), "cp-lrp", epsilon=0.0)
        assert found.residual.abs().max() < 1e-13
        assert found.score.abs().min() > 1e-3


@pytest.mark.parametrize("name", ["ViT", "Swin", "nn.MultiheadAttention"])
def test_conservation_is_kept_by_gamma(name):
    found = explained(
        made(name, constants=False), images_for(name), "cp-lrp", epsilon=0.0, gamma=0.1, gamma_convolution=0.25
    )
    assert found.residual.abs().max() < 1e-11 * found.heatmap.abs().sum(dim=(1, 2)).max()


class Attends(nn.Module):
    """One attention over pixels; its weights may be given, and are numbers then."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.query, self.key, self.value = (nn.Linear(n, 6) for n in (3, 6, 6, 6))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 4)
        self.weights: Tensor | None = None
        self.deviation: Tensor | None = None

    def normed(self, t: Tensor) -> Tensor:
        if self.deviation is None:
            return self.norm(t)
        return (t - t.mean(-1, keepdim=True)) / self.deviation * self.norm.weight + self.norm.bias

    def forward(self, x: Tensor) -> Tensor:
        t = self.embed(x.flatten(2).transpose(1, 2))
        u = self.normed(t)
        weights = self.weights
        if weights is None:
            weights = (self.query(u) @ self.key(u).transpose(1, 2)).softmax(-1)
        return self.head((t + weights @ self.value(u)).mean(dim=1))


def test_it_is_input_x_gradient_of_a_network_whose_weights_and_deviations_are_numbers(images):
    """The network is linear then, so its own gradient is exact: an independent way to the same map."""
    free, fixed = seeded(Attends()), seeded(Attends())
    image = images[:1, :, :4, :4]
    with torch.no_grad():
        t = free.embed(image.flatten(2).transpose(1, 2))
        fixed.deviation = (t.var(-1, unbiased=False, keepdim=True) + free.norm.eps).sqrt()
        u = free.norm(t)
        fixed.weights = (free.query(u) @ free.key(u).transpose(1, 2)).softmax(-1)
    leaf = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(fixed(leaf)[:, 2].sum(), leaf)
    found = explained(free, image, "cp-lrp", epsilon=0.0)
    torch.testing.assert_close(found.heatmap, (image * gradient).sum(dim=1))


def test_without_attention_it_is_lrp(images):
    network = seeded(SmallCNN())
    found = explained(network, images, "cp-lrp")
    torch.testing.assert_close(
        found.heatmap, explained(network, images, "lrp", composite="epsilon", epsilon=1e-9).heatmap
    )


def test_negative_numbers_are_refused():
    for settings in ({"gamma": -0.1}, {"gamma_convolution": -1.0}, {"epsilon": -1e-9}):
        with pytest.raises(seewhy.ConfigError, match="must not be negative"):
            seewhy.method("cp-lrp", **settings)
