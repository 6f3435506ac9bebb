"""How much of the picture a unit really looks at: the part that moves it, not the part that could."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.needs import INPUT, Needs
from seewhy.core.target import BoundTarget
from seewhy.core.trace import Reading
from seewhy.engine.network import Network
from seewhy.visualization.patches import Field

SHARE = 0.95
"""Of the absolute gradient that the square of an effective receptive field holds."""


def effective_field(
    network: Network,
    layer: str,
    inputs: Float[Tensor, "n c *spatial"],
    *,
    channels: Int[Tensor, " n"],
    positions: Int[Tensor, " n"],
    grid: tuple[int, ...],
) -> Field | None:
    """Return the square around a unit's position that holds 95 % of its gradient, in pixels of the input.

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
        The square; None where no gradient comes back from any of the units, or it holds every picture whole.
    """
    weight = _gradient(network, layer, inputs, channels, positions).abs().flatten(1, -3).sum(dim=1).double()
    total = weight.sum(dim=(1, 2))
    alive = total > 0
    if not alive.any():
        return None
    weight, cells = weight[alive] / total[alive, None, None], _cells(positions[alive], grid)
    shift = _shift(weight, cells, grid)
    down, across = _offsets(cells, grid, (weight.shape[1], weight.shape[2]))
    distance = torch.maximum((down - shift[0]).abs()[:, :, None], (across - shift[1]).abs()[:, None, :])
    order = distance.flatten().sort()
    held = weight.flatten()[order.indices].cumsum(0) / len(weight)
    first = min(int((held < SHARE - 1e-9).sum()), len(held) - 1)
    reach = float(order.values[first]) + 0.5
    return None if reach >= float(distance.amax()) else Field(reach, shift)


def _shift(weight: Float[Tensor, "n h w"], cells: Int[Tensor, "n 2"], grid: Sequence[int]) -> tuple[float, float]:
    """Return how far the middle of what moves a unit lies from the middle of its cell, to half a pixel.

    A strided convolution with padding looks to one side: by 15 pixels after five of them. Units near the border, whose square is cut, say nothing
    about it; where there are no others, the answer is no shift.
    """
    size = torch.tensor(tuple(grid[-2:]))
    inner = ((cells >= size // 4) & (cells < size - size // 4)).all(dim=1)
    if not inner.any():
        return 0.0, 0.0
    down, across = _offsets(cells[inner], grid, (weight.shape[1], weight.shape[2]))
    weight = weight[inner]
    vertical = (weight.sum(dim=2) * down).sum(dim=1).median()
    horizontal = (weight.sum(dim=1) * across).sum(dim=1).median()
    return round(2 * float(vertical)) / 2, round(2 * float(horizontal)) / 2


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


def _cells(positions: Int[Tensor, " n"], grid: Sequence[int]) -> Int[Tensor, "n 2"]:
    """Return row and column of positions that are counted row by row."""
    rows, columns = grid[-2:]
    cell = positions.long() % (rows * columns)
    return torch.stack([cell // columns, cell % columns], dim=1)


def _offsets(
    cells: Int[Tensor, "n 2"], grid: Sequence[int], size: tuple[int, int]
) -> tuple[Float[Tensor, "n h"], Float[Tensor, "n w"]]:
    """Return how far the centre of each row, and of each column, of pixels is below, and to the right of, the centre of the cell."""
    (rows, columns), (height, width) = grid[-2:], size
    down = (torch.arange(height) + 0.5)[None] - ((cells[:, 0] + 0.5) * height / rows)[:, None]
    across = (torch.arange(width) + 0.5)[None] - ((cells[:, 1] + 0.5) * width / columns)[:, None]
    return down, across
