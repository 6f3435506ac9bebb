"""Resample grids axis by axis: every cell of the new grid is a weighted mean of cells of the old one."""

import torch
from jaxtyping import Float
from torch import Tensor


def axis_weights(
    cells: int, window: tuple[float, float], size: int, *, smooth: bool = False, nearest: bool = False
) -> Float[Tensor, "size cells"]:
    """Return what each of `size` new cells takes of each old one, along one axis; rows add up to 1, or to 0 outside of the old cells.

    New cells lie evenly in the window, and are read at their centres, linearly between the old cells' centres; beyond the outermost centres
    the border goes on.

    Args:
        cells: how many old cells there are.
        window: where the new cells begin and end, in old cells: edges, not centres; it may reach beyond the old cells.
        size: how many new cells there are.
        smooth: where the new cells are larger than the old ones, average over what each covers, as a triangle as wide as two new cells.
        nearest: take the old cell that the centre lies in.
    """
    low, high = window
    step = (high - low) / size
    centres = low + (torch.arange(size, dtype=torch.float64) + 0.5) * step
    inside = (centres >= 0) & (centres <= cells)
    if nearest:
        weights = torch.zeros(size, cells, dtype=torch.float64)
        weights[torch.arange(size), centres.floor().clamp(0, cells - 1).long()] = 1.0
    else:
        reach = max(1.0, step) if smooth else 1.0
        at = centres.clamp(0.5, cells - 0.5)[:, None]
        weights = (1 - (at - (torch.arange(cells, dtype=torch.float64) + 0.5)).abs() / reach).clamp_min(0)
        weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights * inside[:, None]).float()


def resampled(
    values: Float[Tensor, "*cells"],
    windows: tuple[tuple[float, float], ...],
    size: tuple[int, ...],
    *,
    smooth: bool = False,
    nearest: bool = False,
) -> Float[Tensor, "*resized"]:
    """Return values on another grid; what lies outside of the old one is 0. The axes that shrink most come first, which costs least.

    Args:
        values: any number of axes.
        windows, size: for each axis, as in `axis_weights`.
        smooth, nearest: as there.
    """
    shrinking = sorted(range(values.dim()), key=lambda axis: size[axis] / values.shape[axis])
    for axis in shrinking:
        cells = values.shape[axis]
        if size[axis] == cells and windows[axis] == (0.0, float(cells)):
            continue
        weights = axis_weights(cells, windows[axis], size[axis], smooth=smooth, nearest=nearest).to(values)
        values = (values.movedim(axis, -1) @ weights.T).movedim(-1, axis)
    return values


def outside(windows: tuple[tuple[float, float], ...], cells: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """Mark the new cells whose centres lie outside of the old grid."""
    found = torch.zeros(size, dtype=torch.bool)
    for axis, ((low, high), count, wanted) in enumerate(zip(windows, cells, size, strict=True)):
        centres = low + (torch.arange(wanted, dtype=torch.float64) + 0.5) * ((high - low) / wanted)
        off = (centres < 0) | (centres > count)
        found |= off.view([-1 if at == axis else 1 for at in range(len(size))])
    return found
