"""How much of the picture a unit really looks at: the part that moves it, not the part that could."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.needs import INPUT, Needs
from seewhy.core.target import BoundTarget
from seewhy.core.trace import Reading
from seewhy.engine.network import Network

SHARE = 0.95
"""Of the absolute gradient that the square of an effective receptive field holds."""


def effective_reach(
    network: Network,
    layer: str,
    inputs: Float[Tensor, "n c *spatial"],
    *,
    channels: Int[Tensor, " n"],
    positions: Int[Tensor, " n"],
    grid: tuple[int, ...],
) -> float | None:
    """Return half the side of the square around a unit's position that holds 95 % of its gradient, in pixels of the input.

    The gradient of a unit at the pixels, in absolute value and summed over the colours, is divided by its sum for each unit, laid with the unit's
    position on one point, and averaged. The theoretical receptive field of a late layer covers the picture; what
    counts is far smaller, and shaped like a bell (Luo et al. 2016, Understanding the Effective Receptive Field, arXiv 1701.04128).

    It misleads near the border, where a part of the square lies outside of the picture, and where a network attends from afar: what is outside of the
    square is little, not nothing.

    Args:
        network: the network.
        layer: with spatial axes.
        inputs: one picture for each unit.
        channels, positions: of the units; a position is counted row by row.
        grid: (h, w) of the layer.

    Returns:
        The reach; None where no gradient comes back from any of the units, or the square holds every picture whole.
    """
    gradient = _gradient(network, layer, inputs, channels, positions)
    height, width = inputs.shape[-2:]
    distance = _distances(positions, grid, (height, width))  # (n, h, w)
    weight = gradient.abs().flatten(1, -3).sum(dim=1)
    total = weight.sum(dim=(1, 2))
    alive = total > 0
    if not alive.any():
        return None
    shares = (weight[alive] / total[alive, None, None]).flatten()
    order = distance[alive].flatten().sort()
    held = shares[order.indices].double().cumsum(0) / int(alive.sum())
    first = min(int((held < SHARE).sum()), len(held) - 1)
    reach = float(order.values[first]) + 0.5
    return None if reach >= float(distance[alive].amax()) else reach


def _gradient(
    network: Network, layer: str, inputs: Tensor, channels: Int[Tensor, " n"], positions: Int[Tensor, " n"]
) -> Float[Tensor, "n c *spatial"]:
    """Return the gradient of each unit at its own picture."""

    def score(reading: Reading) -> Float[Tensor, " n"]:
        flat = reading.activation[layer].flatten(2)
        rows = torch.arange(len(flat), device=flat.device)
        return flat[rows, channels.to(flat.device), positions.to(flat.device)]

    needs = Needs(activations=frozenset({layer}), gradients=frozenset({INPUT}), lenient=frozenset({INPUT}))
    with torch.inference_mode(mode=False):
        made = network.forward(network.accept(inputs), needs, stop=True)
        bound = BoundTarget(score, tuple(f"{layer}:{int(channel)}" for channel in channels), "activation")
        return made.trace(bound, last=True).gradient[INPUT].cpu()


def _distances(positions: Int[Tensor, " n"], grid: Sequence[int], size: tuple[int, int]) -> Float[Tensor, "n h w"]:
    """Return how far the centre of each pixel is from the centre of the unit's cell, along the farther axis."""
    (rows, columns), (height, width) = grid[-2:], size
    cell = positions.long() % (rows * columns)
    down = (cell // columns + 0.5) * height / rows
    across = (cell % columns + 0.5) * width / columns
    vertical = (torch.arange(height) + 0.5)[None] - down[:, None]
    horizontal = (torch.arange(width) + 0.5)[None] - across[:, None]
    return torch.maximum(vertical.abs()[:, :, None], horizontal.abs()[:, None, :])
