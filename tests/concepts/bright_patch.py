"""A network that provably uses a bright patch, and pictures with and without one."""

import torch
from torch import Tensor, nn

import seewhy

SIDE = 8
CLASSES = ("bright", "dull", "red")


class PatchNetwork(nn.Module):
    """Channel 0 is how far red + green + blue lies above 2.4, and 0 below; the others are the colours. "bright" reads channel 0, "red" red less green."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
        self.head = nn.Linear(4, 3)
        self.layer[0].weight.data = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])[:, :, None, None]
        self.layer[0].bias.data = torch.tensor([-2.4, 0, 0, 0])
        self.head.weight.data = torch.tensor([[120.0, 0, 0, 0], [0, 0, 0, 0], [0, 20.0, -20, 0]])
        self.head.bias.data = torch.tensor([-6.0, 0.5, -1.0])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x).mean(dim=(2, 3)))


def model() -> seewhy.Model:
    """The network, with names."""
    return seewhy.Model(PatchNetwork(), size=SIDE, mean=0, std=1, labels=CLASSES, name="patch network")


def noise(count: int, seed: int) -> Tensor:
    """Pictures in which channel 0 is silent."""
    return 0.8 * torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def patched(count: int, seed: int) -> Tensor:
    """The same with a white patch somewhere."""
    pictures = noise(count, seed)
    places = torch.randint(SIDE - 3, (count, 2), generator=torch.Generator().manual_seed(seed))
    for picture, (top, left) in zip(pictures, places.tolist(), strict=True):
        picture[:, top : top + 3, left : left + 3] = 1.0
    return pictures


def reddish(count: int, seed: int) -> Tensor:
    """Pictures with more red and less green."""
    return noise(count, seed) * torch.tensor([1.0, 0.5, 1.0])[:, None, None] + torch.tensor([0.15, 0, 0])[:, None, None]


def data(each: int = 30) -> tuple[Tensor, Tensor]:
    """Pictures of the three classes with their labels."""
    pictures = torch.cat([patched(each, 1), noise(each, 2), reddish(each, 3)])
    return pictures, torch.arange(3).repeat_interleave(each)


def unlabelled(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Ready pictures as a source."""
    return pictures, torch.full((len(pictures),), -1)


def concepts() -> dict[str, tuple[Tensor, Tensor]]:
    """A concept that the network uses, another one, and one that is none."""
    return {
        "nothing": unlabelled(noise(20, 11)),
        "red": unlabelled(reddish(20, 12)),
        "patch": unlabelled(patched(20, 13)),
    }


def others(count: int = 60) -> tuple[Tensor, Tensor]:
    """Random pictures."""
    return unlabelled(noise(count, 14))
