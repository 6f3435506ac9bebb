"""What the tests of the gradient family share: a short way to a map, networks with known answers, sums along a line by hand."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import seewhy
from seewhy.core.explanation import Explanation
from seewhy.core.needs import Needs
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import as_target


def explained(network: nn.Module, images: Tensor, key: str, *, target=1, seed=0, rows=None, **settings) -> Explanation:
    """Explain with black at zero and white at one in the network's units."""
    model = seewhy.Model(network, mean=0.0, std=1.0)
    return seewhy.Session(model, seed=seed, rows=rows).explain(images, target, seewhy.method(key, **settings))


def probe_of(network: nn.Module, images: Tensor, needs: Needs, *, target=1, rows=None) -> NetworkProbe:
    """A probe, as a method gets it."""
    session = seewhy.Session(seewhy.Model(network, mean=0.0, std=1.0), rows=rows)
    return NetworkProbe(Question(session.block(images, needs), as_target(target)), needs)


class Quadratic(nn.Module):
    """f_k(x) = sum of w_k x^2 + v_k x, whose gradient 2 w_k x + v_k is linear."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        self.square = nn.Parameter(torch.randn(3, 3, 8, 8, generator=generator, dtype=torch.float64))
        self.linear = nn.Parameter(torch.randn(3, 3, 8, 8, generator=generator, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bchw,kchw->bk", x.square(), self.square) + torch.einsum("bchw,kchw->bk", x, self.linear)

    def integral(self, start: Tensor, end: Tensor, index: int) -> Tensor:
        """What each pixel adds from start to end, for class `index`: the terms do not mix, so any path gives the same."""
        w, v = self.square[index].detach(), self.linear[index].detach()
        return (w * (end.square() - start.square()) + v * (end - start)).sum(dim=1)


def gradient(function: Callable[[Tensor], Tensor], images: Tensor, index: int = 1) -> Tensor:
    """The gradient of one answer, by plain autograd."""
    leaf = images.detach().clone().requires_grad_()
    return torch.autograd.grad(function(leaf)[:, index].sum(), leaf)[0]
