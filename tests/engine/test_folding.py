"""Merged batch norms: the same answers from networks without them, and norms that must stay, stay."""

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import SmallCNN, seeded
from seewhy.core.needs import Needs
from seewhy.engine.network import Network

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def network_of(module: nn.Module) -> Network:
    return Network(seewhy.Model(seeded(module), mean=0.5, std=0.5))


def norms(network: Network) -> int:
    return sum(isinstance(part, NORMS) for part in network.module.modules())


class Around(nn.Module):
    """One layer and one norm, in a way that a test names; the answer is what is left, pooled."""

    def __init__(self, layer: nn.Module, norm: nn.Module, way: str = "plain") -> None:
        super().__init__()
        self.layer, self.norm, self.way = layer, norm, way

    def forward(self, x: Tensor) -> Tensor:
        x = {"linear": lambda: x.flatten(1), "1d": lambda: x.flatten(2), "3d": lambda: x[:, :, None]}.get(
            self.way, lambda: x
        )()
        made = self.layer(x)
        if self.way == "read twice":
            return (self.norm(made) + made).flatten(2).mean(-1)
        if self.way == "run twice":
            return (self.norm(made) + self.norm(self.layer(2 * x))).flatten(2).mean(-1)
        if self.way == "relu between":
            return self.norm(made.relu()).flatten(2).mean(-1)
        if self.way == "written between":
            return self.norm(made.mul_(2)).flatten(2).mean(-1)
        if self.way == "functional":
            norm = self.norm
            normed = nn.functional.batch_norm(made, norm.running_mean, norm.running_var, norm.weight, norm.bias)
            return normed.flatten(2).mean(-1)
        return self.norm(made).flatten(1)


class NormWithActivation(nn.BatchNorm2d):
    """A norm that brings an activation along, as some zoos have it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


class Standardized(nn.Conv2d):
    """A convolution that computes its weights anew in each pass."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight / self.weight.flatten(1).norm(dim=1)[:, None, None, None]
        return nn.functional.conv2d(x, weight, self.bias, padding=1)


@pytest.mark.parametrize(
    ("layer", "norm", "way"),
    [
        (nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), "plain"),
        (nn.Conv2d(3, 6, 3, bias=False, groups=3), nn.BatchNorm2d(6), "plain"),
        (nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(6, affine=False), "plain"),
        (nn.ConvTranspose2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), "plain"),
        (nn.ConvTranspose2d(3, 6, 3, groups=3), nn.BatchNorm2d(6), "plain"),
        (nn.Conv1d(3, 6, 3), nn.BatchNorm1d(6), "1d"),
        (nn.Conv3d(3, 6, (1, 3, 3)), nn.BatchNorm3d(6), "3d"),
        (nn.Linear(192, 6), nn.BatchNorm1d(6), "linear"),
        (nn.Conv2d(3, 6, 3), NormWithActivation(6), "plain"),
    ],
)
def test_what_is_merged_gives_the_same_answer(layer, norm, way, images):
    whole = network_of(Around(layer, norm, way))
    merged = whole.merged(images)
    expected = whole.forward(images, Needs()).reading.output
    torch.testing.assert_close(merged.forward(images, Needs()).reading.output, expected, rtol=1e-12, atol=1e-12)
    assert merged is not whole
    left = [part for part in merged.module.modules() if isinstance(part, NORMS)]
    assert all(
        not part.running_mean.any() for part in left
    )  # only one that brings an activation is left, and does nothing else
    assert len(left) == isinstance(norm, NormWithActivation)


@pytest.mark.parametrize("way", ["read twice", "run twice", "relu between", "written between", "functional"])
def test_a_norm_that_is_not_alone_behind_its_layer_stays(way, images):
    whole = network_of(Around(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), way))
    assert whole.merged(images) is whole


def test_weights_that_are_computed_are_not_merged(images):
    whole = network_of(Around(Standardized(3, 6, 3), nn.BatchNorm2d(6)))
    assert whole.merged(images) is whole
    layer = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 6, 3))
    assert network_of(Around(layer, nn.BatchNorm2d(6))).merged(images).module.norm.running_mean is not None


def test_a_whole_network_is_merged_once_and_its_passes_are_counted(images):
    module = seeded(SmallCNN())
    whole = Network(seewhy.Model(module, mean=0.5, std=0.5))
    merged = whole.merged(images)
    assert norms(whole) == 2
    assert norms(merged) == 0
    assert whole.merged(images) is merged
    torch.testing.assert_close(
        merged.forward(images, Needs()).reading.output, module(images).detach(), rtol=1e-12, atol=1e-12
    )
    assert whole.spent.forwards == 3


def test_a_layer_that_is_watched_keeps_its_output(images):
    whole = network_of(SmallCNN())
    merged = whole.merged(images)
    assert merged is not whole
    assert whole.merged(images, frozenset({"stem.0"})) is whole
    assert whole.merged(images, frozenset({"stem.0#0"})) is whole
    assert whole.merged(images, frozenset({"stem.1", "down"})) is merged
    needs = Needs(frozenset({"stem.1"}))
    torch.testing.assert_close(
        merged.forward(images, needs).reading.activation["stem.1"],
        whole.forward(images, needs).reading.activation["stem.1"],
    )


def test_a_norm_before_a_convolution_stays_while_others_are_merged(images):
    module = nn.Sequential(
        nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(384, 4)
    )
    merged = network_of(module).merged(images)
    assert isinstance(merged.module[0], nn.BatchNorm2d)
    assert isinstance(merged.module[2], nn.Identity)
