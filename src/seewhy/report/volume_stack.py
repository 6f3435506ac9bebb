"""A scan on cubes for looking, small enough for a picture or a page."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from seewhy.core.volume import Volume
from seewhy.ops.resampling import resampled
from seewhy.render.planes import Stack


@dataclass(frozen=True, eq=False)
class Cubes:
    """Scan, map and regions on one grid of cubes.

    Attributes:
        volume: the scan, in the orientation in which scans are shown, with the window in which it is shown.
        heat: the map; NaN where the network saw nothing.
        area: of each cube, which share belongs to a region.
    """

    volume: Volume
    heat: Float[np.ndarray, "d h w"]
    area: Float[np.ndarray, "d h w"]

    def at_most(self, longest: int) -> "Cubes":
        """Return the same on fewer cubes, at most so many along the longest side."""
        _, size = cubes(self.volume, longest)
        if size == self.volume.shape:
            return self
        return Cubes(_shrunk(self.volume, size), _map_on(self.heat, size), _on(self.area, size))

    @property
    def stack(self) -> Stack:
        """What is drawn."""
        return Stack(
            self.volume.grey(self.volume.shown),
            self.heat,
            self.area > 0.5,
            max(self.volume.spacing),
            self.volume.oriented,
        )


def cubes_of(
    volume: Volume, heatmap: Float[np.ndarray, "d h w"], area: Bool[np.ndarray, "d h w"], longest: int
) -> Cubes:
    """Return scan, map and regions on cubes.

    Args:
        volume: in the orientation in which scans are shown.
        heatmap, area: on its voxels.
        longest: most cubes along the longest side.
    """
    _, size = cubes(volume, longest)
    return Cubes(_shrunk(volume, size), _map_on(heatmap, size), _on(area, size))


def cubes(volume: Volume, longest: int) -> tuple[float, tuple[int, int, int]]:
    """Return the side of a cube in millimetres, and how many there are along each axis."""
    extents = [cells * step for cells, step in zip(volume.shape, volume.spacing, strict=True)]
    step = max(max(extents) / longest, min(volume.spacing))
    depth, height, width = (max(1, round(extent / step)) for extent in extents)
    return step, (depth, height, width)


def _shrunk(volume: Volume, size: tuple[int, int, int]) -> Volume:
    """Return a volume with other voxels over the same place, shown in the same window."""
    scale = np.array(volume.shape) / np.array(size)
    to_old = np.diag([*scale, 1.0])
    to_old[:3, 3] = 0.5 * scale - 0.5
    return replace(volume, values=_on(volume.values, size), affine=volume.affine @ to_old, window=volume.shown)


def _map_on(heatmap: Float[np.ndarray, "d h w"], size: tuple[int, int, int]) -> Float[np.ndarray, "a b c"]:
    seen = np.isfinite(heatmap)
    if seen.all():
        return _on(heatmap, size)
    heat, weight = _on(np.where(seen, heatmap, 0.0), size), _on(seen, size)
    return np.where(weight > 0.5, heat / np.maximum(weight, 1e-6), np.nan)


def _on(values: np.ndarray, size: tuple[int, int, int]) -> Float[np.ndarray, "d h w"]:
    windows = tuple((0.0, float(cells)) for cells in values.shape)
    given = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    return resampled(given, windows, size, smooth=True).numpy()
