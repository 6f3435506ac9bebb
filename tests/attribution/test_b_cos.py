"""B-cos: the map is W(x) x, by the explanation mode of a network, by pencil, and by the package of the authors; other networks are refused."""

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

import seewhy
from networks import BCosConv, SmallBCos, SmallCNN, SmallViT, seeded


def explained(network, inputs, target=0):
    return seewhy.Session(seewhy.Model(network)).explain(inputs, target, "b-cos")


@pytest.fixture
def pictures():
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_jacobian(network: nn.Module, encoded: Tensor, target: int) -> Tensor:
    """Return W(x) x by hand: scalings are written down on one pass and held on a second one, whose Jacobian is W(x)."""
    written: list[Tensor] = []

    class Held(BCosConv):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                made = BCosConv.forward(self, x)
            weight = self.conv.weight / self.conv.weight.flatten(1).norm(dim=1)[:, None, None, None]
            summed = nn.functional.conv2d(x, weight, None, self.conv.stride, self.conv.padding)
            summed = summed.unflatten(1, (-1, self.units)).amax(dim=2)
            written.append((made / summed).detach())
            return written[-1] * summed

    for part in network.modules():
        if isinstance(part, BCosConv):
            part.__class__ = Held
    leaf = encoded.clone().requires_grad_()
    (row,) = torch.autograd.grad(network(leaf)[:, target].sum(), leaf)
    for part in network.modules():
        if isinstance(part, BCosConv):
            part.__class__ = BCosConv
    return (row * encoded).sum(dim=1)


@pytest.mark.parametrize("b", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("target", [0, 3])
def test_six_channels_give_the_map_by_hand_and_add_up(pictures, b, target):
    network = seeded(SmallBCos(b=b))
    encoded = torch.cat([pictures, 1 - pictures], dim=1)
    found = explained(network, encoded, target)
    torch.testing.assert_close(found.heatmap, by_jacobian(network, encoded, target))
    torch.testing.assert_close(found.heatmap.sum(dim=(1, 2)), found.score)
    assert found.residual.abs().max() < 1e-12


@pytest.mark.parametrize("target", [1, 2])
def test_a_network_that_encodes_the_picture_itself_gives_the_same_map(pictures, target):
    network = seeded(SmallBCos())
    inside, outside = (
        explained(network, given, target) for given in (pictures, torch.cat([pictures, 1 - pictures], dim=1))
    )
    torch.testing.assert_close(inside.heatmap, outside.heatmap)
    assert inside.residual.abs().max() < 1e-12
    plain = seewhy.Session(seewhy.Model(network)).explain(pictures, target, "input-x-gradient").heatmap
    assert not torch.allclose(plain, inside.heatmap, atol=1e-3)


def test_black_pixels_of_the_picture_speak_too():
    """One unit that looks at 1 - x alone: a black pixel gives all of the score, by pencil 1 of |cos| = 1."""

    class Dark(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unit = BCosConv(2, 2, 1)
            self.unit.conv.weight.data = torch.tensor([[[[0.0]], [[1.0]]], [[[1.0]], [[0.0]]]])

        def forward(self, x: Tensor) -> Tensor:
            return self.unit(torch.cat([x, 1 - x], dim=1)).sum(dim=(2, 3))

    picture = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    picture[0, 0, 1, 2] = 0
    found = explained(Dark().double(), picture, 0)
    torch.testing.assert_close(found.score, torch.tensor([1.0], dtype=torch.float64))
    assert found.heatmap[0, 1, 2] == pytest.approx(1) and float(found.heatmap.abs().sum()) == pytest.approx(1)


def test_a_unit_by_pencil():
    """x = (3, 4), w = (1, 0): cos = 3/5, so the unit gives 3/5 * 3, all of it from the first channel; (0, 1) gives 4/5 * 4."""
    network = nn.Sequential(BCosConv(2, 2, 1), nn.Flatten(2))
    network[0].conv.weight.data = torch.tensor([[[[1.0]], [[0.0]]], [[[0.0]], [[1.0]]]])

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.units = network[0]

        def forward(self, x: Tensor) -> Tensor:
            return self.units(x).mean(dim=(2, 3))

    picture = torch.zeros(1, 2, 2, 2, dtype=torch.float64)
    picture[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    for target, value in ((0, 9 / 5 / 4), (1, 16 / 5 / 4)):
        found = explained(Mean().double(), picture, target)
        assert float(found.heatmap[0, 0, 0]) == pytest.approx(value, rel=1e-9)
        assert float(found.heatmap.sum()) == pytest.approx(value, rel=1e-9)


def test_what_a_bias_adds_is_the_residual(pictures):
    class Biased(SmallBCos):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.tensor([0.25, 1.0, -2.0, 0.5])

    found = explained(seeded(Biased()), pictures, 2)
    torch.testing.assert_close(found.residual, torch.full((3,), -2.0, dtype=torch.float64))


def test_other_spellings_of_the_same_unit_give_the_same_map(pictures):
    class Spelled(BCosConv):
        def forward(self, x: Tensor) -> Tensor:
            weight = self.conv.weight / self.conv.weight.flatten(1).norm(dim=1)[:, None, None, None]
            summed = nn.functional.conv2d(x, weight, None, self.conv.stride, self.conv.padding)
            summed = summed.unflatten(1, (-1, self.units)).amax(dim=2)
            size = nn.functional.conv2d(x * x, torch.ones_like(weight[:1]), None, self.conv.stride, self.conv.padding)
            size = size.add_(1e-12).sqrt_()
            return summed * torch.abs(summed).div(size)

    network, other = seeded(SmallBCos()), seeded(SmallBCos())
    for part in other.modules():
        if isinstance(part, BCosConv):
            part.__class__ = Spelled
    torch.testing.assert_close(explained(other, pictures).heatmap, explained(network, pictures).heatmap)


class Gated(nn.Module):
    """A rectifier network with a sigmoid gate: ordinary, although it scales."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu()
        return self.head((x * self.gate(x.mean(dim=(2, 3))).sigmoid()[:, :, None, None]).mean(dim=(2, 3)))


class Magnitude(SmallBCos):
    """A B-cos network to which a magnitude is added that scales nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.abs().mean(dim=(1, 2, 3))[:, None]


class Squared(SmallBCos):
    """A B-cos network whose answer is squared."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y * y


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (SmallCNN, "no B-cos unit"),
        (Gated, "no B-cos unit"),
        (SmallViT, "gelu"),
        (Magnitude, "depends on abs"),
        (Squared, r"a product \(mul\)"),
    ],
)
def test_other_networks_are_refused(pictures, network, why):
    with pytest.raises(seewhy.MethodError, match=why):
        explained(seeded(network()), pictures)


def test_the_built_in_network_is_refused(photo):
    with pytest.raises(seewhy.MethodError, match="b-cos"):
        seewhy.explain(photo, method="b-cos")


@pytest.fixture
def authors(monkeypatch):
    """The layers of the package `bcos`; the package itself, which wants torchvision, is not run."""
    found = importlib.util.find_spec("bcos")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("the package bcos is not installed")
    bare = ModuleType("bcos")
    bare.__path__ = list(found.submodule_search_locations)
    monkeypatch.setitem(sys.modules, "bcos", bare)
    yield importlib.import_module("bcos.modules")
    for name in [name for name in sys.modules if name.startswith("bcos.")]:
        del sys.modules[name]


class TestTheAuthorsLayers:
    """The layers of the authors in their own explanation mode."""

    @pytest.mark.parametrize("b", [1.5, 2])
    def test_their_convolutions_and_norms(self, authors, pictures, b):
        modules = authors
        torch.manual_seed(0)
        network = nn.Sequential(
            modules.BcosConv2d(6, 8, 3, padding=1, b=b, max_out=2),
            modules.norms.BatchNormUncentered2d(8),
            modules.BcosConv2d(8, 8, 3, padding=1, stride=2, b=b, groups=2),
            modules.norms.AllNormUncentered2d(8),
            modules.BcosConv2d(8, 5, 1, b=b),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            modules.LogitLayer(logit_temperature=0.5, logit_bias=-1.0),
        ).double()
        network(torch.rand(8, 6, 8, 8, dtype=torch.float64))  # running statistics
        network.eval()
        encoded = torch.cat([pictures, 1 - pictures], dim=1)
        found = explained(network, encoded, 1)
        for part in network.modules():
            if hasattr(part, "set_explanation_mode"):
                part.set_explanation_mode(True)
        leaf = encoded.clone().requires_grad_()
        (row,) = torch.autograd.grad(network(leaf)[:, 1].sum(), leaf)
        torch.testing.assert_close(found.heatmap, (row * encoded).sum(dim=1))
