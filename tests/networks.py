"""Small networks that many tests share; fixtures made of them are in conftest.py."""

import torch
from torch import Tensor, nn


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
