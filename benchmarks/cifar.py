"""ResNet-20 on CIFAR-10, as in section 4.2 of He et al. 2016, and the test pictures: from the folder that `SEEWHY_DATA` names."""

import os
import tarfile
from pathlib import Path

import torch
from torch import Tensor, nn

import seewhy

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
WEIGHTS = "resnet20-12fca82f.th"


class Block(nn.Module):
    """Two convolutions beside a shortcut without weights: every other pixel, and channels of zeros on both sides."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.stride, self.more = stride, outside - inside

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.stride > 1:
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return (y + x).relu()


class ResNet20(nn.Module):
    """Three stages of three blocks, with 16, 32 and 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean(dim=(2, 3)))


def data_folder() -> Path:
    """Return the folder of real pictures and weights; raise `SystemExit` where none is named."""
    folder = os.environ.get("SEEWHY_DATA")
    if not folder:
        raise SystemExit("SEEWHY_DATA names no folder; CIFAR-10 and the weights of ResNet-20 are looked for there")
    return Path(folder)


def resnet20() -> seewhy.Model:
    """Return the trained network with its preprocessing."""
    network = ResNet20()
    stored = torch.load(data_folder() / "weights" / WEIGHTS, map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("module."): value for name, value in stored.items()})
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return seewhy.Model(network, size=32, mean=mean, std=std, labels=CLASSES, name="ResNet-20")


def pictures(folder: Path) -> Path:
    """Unpack the 10,000 test pictures into a folder, each class in one of its own, and return where they are."""
    with tarfile.open(data_folder() / "cifar10" / "cifar10_test.tar") as packed:
        packed.extractall(folder, filter="data")
    return folder / "test"
