"""Features that a test lays out itself: a network whose layer hands on its input, and a linear head on the means."""

import torch
from torch import Tensor, nn

import seewhy
from seewhy.data.features import Features, features


class HandsOn(nn.Module):
    """The layer gives its input; the answer is a linear map of the means over the places."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, channels, 1, bias=False)
        self.layer.weight.data = torch.eye(channels)[:, :, None, None]
        self.weight = nn.Parameter(torch.randn(classes, channels, generator=torch.Generator().manual_seed(5)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes."""
        return self.layer(x).mean(dim=(2, 3)) @ self.weight.T


def session_for(channels: int, classes: int = 3, size: int = 4) -> seewhy.Session:
    """Return a session of such a network."""
    return seewhy.Session(seewhy.Model(HandsOn(channels, classes), size=size, mean=0.0, std=1.0, name="hands on"))


def laid_out(activation: Tensor, session: seewhy.Session | None = None) -> Features:
    """Return features whose activation is this (n, c, h, w)."""
    session = session or session_for(activation.shape[1], size=activation.shape[-1])
    return features(session, (activation, torch.full((len(activation),), -1)), "layer")


def parts(count: int, channels: int, seed: int = 0) -> Tensor:
    """Return directions (k, c) of length 1 that share no channel: k blocks of channels."""
    width = channels // count
    strength = torch.rand(count, width, generator=torch.Generator().manual_seed(seed)) + 0.5
    made = torch.zeros(count, channels)
    for part in range(count):
        made[part, part * width : (part + 1) * width] = strength[part]
    return made / made.norm(dim=1, keepdim=True)


def sparse_codes(rows: int, count: int, active: int, seed: int = 0) -> Tensor:
    """Return codes (m, k), so many of each row between 1 and 2, the others 0."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.rand(rows, count, generator=generator).argsort(dim=1)[:, :active]
    strength = 1 + torch.rand(rows, active, generator=generator)
    return torch.zeros(rows, count).scatter(1, chosen, strength)


def as_pictures(rows: Tensor, side: int = 4) -> Tensor:
    """Return rows (n * side * side, c) as activations (n, c, side, side), picture after picture."""
    return rows.view(-1, side * side, rows.shape[1]).transpose(1, 2).reshape(-1, rows.shape[1], side, side)
