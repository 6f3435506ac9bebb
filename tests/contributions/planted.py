"""Networks of which it is known what they look at, and data for them."""

import torch
from torch import Tensor, nn

SIZE = 12


class LooksAt(nn.Module):
    """Two classes; the second one's logit is a weighted sum of pixels, the first one's its negative."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        score = (x * self.weight).sum(dim=(1, 2, 3))
        return torch.stack([-score, score], dim=1)


def box(row: int, column: int, cells: int = 4, channels: int = 3) -> Tensor:
    """Return a weight that is 1 in one box of a grid of cells x cells, in the first channel."""
    weight = torch.zeros(channels, SIZE, SIZE, dtype=torch.float64)
    side = SIZE // cells
    weight[0, row * side : (row + 1) * side, column * side : (column + 1) * side] = 1.0
    return weight


def noise(count: int, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, channels, SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def answered(network: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return inputs with the labels that the network gives them, so that it is always right."""
    with torch.no_grad():
        return inputs, network(inputs).argmax(dim=1)


class Gate(nn.Module):
    """One number: "and" is the product of the means of two halves of the picture, "or" is a + b - ab."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.nothing = kind, nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        a, b = (half.mean(dim=(1, 2, 3)) for half in x.tensor_split(2, dim=3))
        value = a * b if self.kind == "and" else a + b - a * b
        return torch.stack([-value, value], dim=1)
