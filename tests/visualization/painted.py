"""What the tests of pictures share: a network that knows what it looks for, and one that is small."""

import torch
from torch import Tensor, nn

import seewhy
from networks import SmallCNN, seeded


class Planted(nn.Module):
    """Channel 1 detects a bright bar beside a dark one; channel 2 is always zero; channel 0 is the mean of the picture."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.detector = nn.Conv2d(channels, 3, 4, bias=True)
        self.act = nn.ReLU()
        self.head = nn.Linear(3, 2)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            self.detector.weight.zero_()
            self.detector.bias.zero_()
            self.detector.weight[0] = 1 / (16 * channels)
            self.detector.weight[1, :, :, :2], self.detector.weight[1, :, :, 2:] = 1 / 16, -1 / 16
            self.detector.bias[2] = -1e6
            self.head.weight.copy_(torch.randn(2, 3, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.detector(x)).mean(dim=(2, 3)))


def planted(channels: int = 3, size: int = 16) -> seewhy.Model:
    """A model of the planted network; pictures of mid grey are zero to it."""
    return seewhy.Model(
        Planted(channels).eval(),
        size=size,
        mean=(0.5,) * channels,
        std=(0.5,) * channels,
        labels=["zebra", "horse"],
        channels="grey" if channels == 1 else "rgb",
    )


def small(channels: int = 3, **settings: object) -> seewhy.Model:
    """A model of the small network with random weights."""
    network = seeded(SmallCNN(channels=channels)).float()
    return seewhy.Model(
        network, size=16, mean=(0.5,) * channels, std=(0.25,) * channels, labels=["a", "b", "c", "d"], **settings
    )
