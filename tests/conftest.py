"""Small networks and pictures that many tests share. No downloads; real pictures come from the folder that SEEWHY_DATA names."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from networks import Linear, SmallCNN, seeded

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shapes", action="store_true", help="check the shapes in the signatures while the tests run")


def pytest_configure(config: pytest.Config) -> None:
    """Switch the checking of shapes on before anything of the package is imported."""
    if config.getoption("--shapes"):
        from jaxtyping import install_import_hook

        install_import_hook("seewhy", "shapes.check")


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
