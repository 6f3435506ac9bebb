"""Small networks and pictures that many tests share. No downloads; real pictures come from the folder that SEEWHY_DATA names."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real pictures, clips and weights; the test is skipped where there is none."""
    folder = os.environ.get("SEEWHY_DATA")
    if not folder:
        pytest.skip("SEEWHY_DATA is unset: this test reads real pictures from the folder that it names")
    return Path(folder)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A made picture of 96 x 64 pixels with a bright disc on a dark gradient."""
    y, x = np.mgrid[:64, :96]
    disc = (((x - 60) ** 2 + (y - 30) ** 2) < 200)[..., None]
    pixels = np.where(disc, (230, 180, 40), np.stack([x, y, 90 + 0 * x], axis=-1))
    path = tmp_path / "disc.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


class SmallCNN(nn.Module):
    """Convolution, norm and in-place ReLU, twice, with a residual sum; average pool; one linear layer."""

    def __init__(self, classes: int = 4, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.body = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.down = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.act = nn.ReLU()
        self.head = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.act(self.down(x + self.body(x)))
        return self.head(x.mean(dim=(2, 3)))


class Linear(nn.Module):
    """f(x) = W x + b, on flattened pixels, behind a 1 x 1 convolution that leaves them as they are, so that there is a layer with a grid."""

    def __init__(self, size: tuple[int, int, int] = (3, 8, 8), classes: int = 3) -> None:
        super().__init__()
        channels, height, width = size
        self.layer = nn.Conv2d(channels, channels, 1, bias=False)
        self.layer.weight.data = torch.eye(channels)[:, :, None, None]
        self.weight = nn.Parameter(torch.randn(classes, channels, height, width))
        self.bias = nn.Parameter(torch.randn(classes))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bchw,kchw->bk", self.layer(x), self.weight) + self.bias


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network float64 weights drawn from a seed, running statistics of norms included, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in [*network.named_parameters(), *network.named_buffers()]:
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator) * 0.4
            value.data = drawn.abs() + 0.5 if name.endswith("running_var") else drawn
    return network.double().eval()


@pytest.fixture
def cnn() -> nn.Module:
    """A small float64 CNN with seeded weights."""
    return seeded(SmallCNN())


@pytest.fixture
def linear() -> Linear:
    """A float64 network that is linear in its input."""
    network = Linear()
    network.weight.data = torch.randn(network.weight.shape, generator=torch.Generator().manual_seed(1))
    network.bias.data = torch.randn(network.bias.shape, generator=torch.Generator().manual_seed(2))
    return network.double().eval()


@pytest.fixture
def images() -> Tensor:
    """Three seeded float64 inputs of 3 x 8 x 8."""
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
