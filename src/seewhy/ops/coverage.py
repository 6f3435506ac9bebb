"""Areas taken from one grid of cells to another: what share of each cell they cover. Exact, so an area smaller than a cell is not lost."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def covered(size: int, begin: float, end: float, low: float, high: float) -> Float[Tensor, " size"]:
    """Return the share of each of `size` equal cells of the line from `begin` to `end` that the piece from `low` to `high` covers."""
    edges = torch.linspace(begin, end, size + 1, dtype=torch.float64)
    inside = (edges[1:].clamp_max(high) - edges[:-1].clamp_min(low)).clamp_min(0)
    return (inside / ((end - begin) / size)).float()


def shares(cells: int, size: int, begin: float, end: float) -> Float[Tensor, "size cells"]:
    """Return what share of each of `size` equal cells of the line from `begin` to `end` lies on each of the unit cells 0 to 1, 1 to 2, ..."""
    edges = torch.linspace(begin, end, size + 1, dtype=torch.float64)
    places = torch.arange(cells, dtype=torch.float64)
    inside = torch.minimum(edges[1:, None], places + 1) - torch.maximum(edges[:-1, None], places)
    return (inside.clamp_min(0) / ((end - begin) / size)).float()


def onto(
    areas: Float[Tensor, "*cells"], size: Sequence[int], window: Sequence[tuple[float, float]] | None = None
) -> Float[Tensor, "*resized"]:
    """Return the share of each cell of another grid that an area covers.

    Args:
        areas: the area, as the share of each of its own cells: 0 and 1 for a mask.
        size: of the other grid.
        window: where the other grid begins and ends along each axis, in cells of the area's own; the whole of it if None. What lies
            beyond the area's own grid is not covered.
    """
    for axis, wanted in enumerate(size):
        cells = areas.shape[axis]
        begin, end = window[axis] if window is not None else (0.0, float(cells))
        if (cells, 0.0, float(cells)) != (wanted, begin, end):
            matrix = shares(cells, wanted, begin, end).to(areas)
            areas = (areas.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return areas
