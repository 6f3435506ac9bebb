"""A small network in which one unit looks for a known pattern, and natural pictures of which some show it."""

import torch
from torch import Tensor, nn

import seewhy

SIZE = 16
PATTERN = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(2, 2)  # a fine chequer of 4 x 4 pixels
PLANTED = 2


class Planted(nn.Module):
    """Channel 2 of `look` answers to a chequer in grey; the others to edges, or to nothing at all; the head is linear in the mean activations."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 5, 4, stride=2, bias=False)
        generator = torch.Generator().manual_seed(1)
        self.look.weight.data = 0.05 * torch.randn(5, 3, 4, 4, generator=generator)
        self.look.weight.data[PLANTED] = PATTERN / 48
        self.look.weight.data[4] = 0.0  # a dead unit
        self.head = nn.Linear(5, 3)
        self.head.weight.data = torch.randn(3, 5, generator=generator)
        self.head.weight.data[1, PLANTED] = 30.0

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.look(x).mean(dim=(2, 3)))


def planted_model(**changes: object) -> seewhy.Model:
    """Return the network with its preprocessing: pixel values from -1 to 1."""
    facts = {"size": SIZE, "mean": 0.5, "std": 0.5, "labels": ["plain", "chequer", "other"], "name": "planted"}
    return seewhy.Model(Planted().double().eval(), **(facts | changes))


def natural_inputs(count: int = 24, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return ready inputs of smooth noise, every fourth with a faint chequer in its middle, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand(count, 3, 4, 4, generator=generator, dtype=torch.float64) - 0.5
    inputs = nn.functional.interpolate(rough, size=SIZE, mode="bilinear")
    labels = torch.zeros(count, dtype=torch.long)
    for place in range(0, count, 4):
        inputs[place, :, 6:10, 6:10] += 0.4 * (1 + place / count) * PATTERN
        labels[place] = 1
    return inputs, labels
