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


class SmallViT(nn.Module):
    """A vision transformer of plain `nn.MultiheadAttention` for 3 x 8 x 8: patches of 2 x 2, a class token, blocks with norms before, a head on the class token."""

    class Block(nn.Module):
        """Attention and a two-layer network, each behind a norm and beside a way past it."""

        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm1(x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.norm2(x))

    def __init__(self, classes: int = 4, width: int = 8, heads: int = 2, blocks: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, 1 + 16, width))
        self.blocks = nn.Sequential(*(self.Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


class BCosConv(nn.Module):
    """A B-cos convolution after Boehle et al. 2022, equation 3: |cos(x, w)|^(B - 1) w x, with w of length 1; the largest of `units` (MaxOut)."""

    def __init__(
        self, channels: int, out: int, kernel: int, b: float = 2.0, *, units: int = 1, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.b, self.units = b, units
        self.conv = nn.Conv2d(channels, out * units, kernel, stride, padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.conv.weight / self.conv.weight.flatten(1).norm(dim=1)[:, None, None, None]
        arguments = (None, self.conv.stride, self.conv.padding)
        summed = nn.functional.conv2d(x, weight, *arguments)
        summed = summed.unflatten(1, (-1, self.units)).amax(dim=2)
        squares = nn.functional.conv2d(x**2, torch.ones_like(weight[:1]), *arguments)
        return ((summed / (squares + 1e-12).sqrt()).abs() ** (self.b - 1)) * summed


class SmallBCos(nn.Module):
    """A B-cos network: [x, 1 - x], three convolutions of which one has a way past it and one is of MaxOut units, and the mean of the last."""

    def __init__(self, classes: int = 4, channels: int = 3, b: float = 2.0) -> None:
        super().__init__()
        self.encoded = 2 * channels
        self.stem = BCosConv(self.encoded, 6, 3, b, padding=1)
        self.body = BCosConv(6, 6, 3, b, units=2, padding=1)
        self.down = BCosConv(6, 8, 3, b, stride=2, padding=1)
        self.head = BCosConv(8, classes, 1, b)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(torch.cat([x, 1 - x], dim=1) if x.shape[1] < self.encoded else x)
        return self.head(self.down(x + self.body(x))).mean(dim=(2, 3))


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network float64 weights drawn from a seed, running statistics of norms included, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in [*network.named_parameters(), *network.named_buffers()]:
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator) * 0.4
            value.data = drawn.abs() + 0.5 if name.endswith("running_var") else drawn
    return network.double().eval()
