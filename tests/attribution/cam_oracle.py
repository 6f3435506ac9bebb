"""Networks small enough for a pencil, and what the CAM family draws on, read with plain torch."""

import torch
from torch import Tensor, nn

import seewhy


class Pencil(nn.Module):
    """A convolution of ones, a ReLU and a linear layer of ones and minus ones; the network whose Grad-CAM captum publishes.

    For the numbers 0 to 15 as a 4 x 4 picture the convolution gives (-5, 4, 31, 40) and (-30, -21, 6, 15), and the score is 54.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.relu = nn.ReLU()
        self.head = nn.Linear(8, 4)
        self.conv.weight.data = torch.ones(2, 1, 3, 3)
        self.conv.bias.data = torch.tensor([-50.0, -75.0])
        self.head.weight.data = torch.tensor([1.0, 1, 1, 1, 1, -1, -1, -1]).repeat(4, 1)
        self.head.bias.data = torch.zeros(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(x)).flatten(1))


def pencil() -> tuple[nn.Module, Tensor]:
    """Return the network and its picture, in float64."""
    return Pencil().double().eval(), torch.arange(16, dtype=torch.float64).view(1, 1, 4, 4)


class Pooled(nn.Module):
    """Convolution and ReLU, average pool, one linear layer; for pictures or volumes."""

    def __init__(self, axes: int = 2) -> None:
        super().__init__()
        convolution = {2: nn.Conv2d, 3: nn.Conv3d}[axes]
        self.features = nn.Sequential(convolution(3, 6, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(2).mean(dim=2))


class TwoLayers(Pooled):
    """The same with a hidden layer in the head."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 5))


class Weighted(Pooled):
    """The same with a linear layer that treats positions differently, in place of the average."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(1))


def layer_of(network: nn.Module, layer: str, images: Tensor, target: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return activation and gradient of a layer, and the logits, by a hook and plain autograd."""
    kept = []
    handle = network.get_submodule(layer).register_forward_hook(
        lambda module, args, output: kept.append(output) or output.clone()
    )
    logits = network(images.clone().requires_grad_())
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[:, target].sum(), kept)
    return kept[0].detach(), gradient, logits.detach()


def drawn(
    network: nn.Module, images: Tensor, method: "seewhy.Method | str", target: object = 0, seed: int = 0
) -> Tensor:
    """Return the heatmap that seewhy draws."""
    return seewhy.Session(network, seed=seed).explain(images, target, method).heatmap


def to_one(maps: Tensor) -> Tensor:
    """Stretch each map to 0 to 1, as other libraries do."""
    low, high = maps.flatten(1).amin(1), maps.flatten(1).amax(1)
    shape = (-1, *[1] * (maps.dim() - 1))
    return (maps - low.view(shape)) / (high - low).clamp_min(1e-30).view(shape)


def volume() -> Tensor:
    """Return two seeded float64 volumes of 3 x 4 x 6 x 8."""
    return torch.randn(2, 3, 4, 6, 8, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
