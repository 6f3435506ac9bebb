"""A scan on cubes for looking, small enough for a page."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from seewhy.core.volume import Volume, Window
from seewhy.ops.resampling import resampled
from seewhy.render.planes import Stack


def stack_of(
    volume: Volume,
    heatmap: Float[np.ndarray, "d h w"],
    area: Bool[np.ndarray, "d h w"],
    longest: int,
    window: Window | None = None,
) -> Stack:
    """Return scan, map and regions on cubes of one size.

    Args:
        volume: in the orientation in which scans are shown.
        heatmap, area: on its voxels.
        longest: most cubes along the longest side.
        window: what is shown from black to white; the scan's own if None.
    """
    step, size = cubes(volume, longest)
    seen = np.isfinite(heatmap)
    heat = _on(np.where(seen, heatmap, 0.0), size)
    weight = heat if seen.all() else _on(seen.astype(np.float32), size)
    heat = heat if seen.all() else np.where(weight > 0.5, heat / np.maximum(weight, 1e-6), np.nan)
    grey = grey_cubes(volume, size, window)
    return Stack(grey, heat, _on(area.astype(np.float32), size) > 0.5, step, volume.oriented)


def cubes(volume: Volume, longest: int) -> tuple[float, tuple[int, int, int]]:
    """Return the side of a cube in millimetres, and how many there are along each axis."""
    extents = [cells * step for cells, step in zip(volume.shape, volume.spacing, strict=True)]
    step = max(max(extents) / longest, min(volume.spacing))
    depth, height, width = (max(1, round(extent / step)) for extent in extents)
    return step, (depth, height, width)


def grey_cubes(volume: Volume, size: tuple[int, int, int], window: Window | None = None) -> Float[np.ndarray, "d h w"]:
    """Return the scan on cubes as it is shown in a window, from 0 to 1."""
    return replace(volume, values=value_cubes(volume, size), affine=np.eye(4), window=volume.shown).grey(window)


def value_cubes(volume: Volume, size: tuple[int, int, int]) -> Float[np.ndarray, "d h w"]:
    """Return the scan's values on cubes."""
    return _on(volume.values, size)


def _on(values: np.ndarray, size: tuple[int, int, int]) -> Float[np.ndarray, "d h w"]:
    windows = tuple((0.0, float(cells)) for cells in values.shape)
    return resampled(
        torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)), windows, size, smooth=True
    ).numpy()
