"""How large the places are that a map of a scan points at: in millimetres, and where they lie in the patient."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.core.explanation import Explanation
from seewhy.core.volume import SHOWN, Volume
from seewhy.errors import DataError
from seewhy.evaluation.area import evidence

LEVEL = 0.5
"""Share of the map's maximum above which a place belongs to a region: its width at half the maximum."""
MOST = 5
LEAST = 0.02
"""A region with less than this share of the evidence above the level is left out."""
MIDDLE = 0.05
"""Share of the scan's width to each side of its middle plane in which a region is neither left nor right."""


@dataclass(frozen=True)
class Region:
    """A place of strong evidence that hangs together.

    Attributes:
        size: volume or area, in `unit`: "ml", "mm²", or "voxels" and "pixels" where the file does not say how large they are.
        extent: up and down, front to back, across (of a picture: down, across), in millimetres or voxels; of the smallest box along the
            scan's axes.
        centre: centre of the evidence: to the patient's right, front and head in millimetres; None where the file does not say.
        voxel: the same as an index of the source's array, rounded.
        peak: index of the voxel with the strongest evidence.
        strength: evidence there.
        share: of all positive evidence.
        mean: mean of the scan's values in the region, in the scan's unit.
        side: "right", "left" or "middle" of the scan, as the patient has it; empty where the file does not say.
    """

    size: float
    unit: str
    extent: tuple[float, ...]
    centre: tuple[float, float, float] | None
    voxel: tuple[int, ...]
    peak: tuple[int, ...]
    strength: float
    share: float
    mean: float
    side: str


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of one map.

    Attributes:
        rows: the strongest evidence first; empty where nothing speaks for the target.
        area: which voxels of the source belong to them, in the source's order.
        level: evidence above which a voxel belongs to a region.
    """

    rows: tuple[Region, ...]
    area: Bool[np.ndarray, "*source"]
    level: float


def scan_regions(explanation: Explanation, index: int = 0, level: float = LEVEL, most: int = MOST) -> Regions:
    """Return the regions above a share of the map's maximum, on the source's own voxels.

    The map of a grid of cells is drawn smoothly between them, so a size can't be told more exactly than one cell of that grid. Maps at
    the input's resolution are smoothed first, as single voxels are no region. A region is where the network looked, not the outline of what is there:
    it is no segmentation.

    Args:
        explanation: of a scan, or a slice of one.
        index: which of its images.
        level: share of the maximum.
        most: how many regions at most.

    Raises:
        DataError: the image is no scan.
    """
    sample = explanation.samples[index]
    volume = sample.volume
    if volume is None:
        raise DataError(f"{sample.name or 'this image'} is no scan, so nothing is known of millimetres")
    drawn = sample.to_source(_smooth(explanation, index)).nan_to_num(0).cpu().numpy()
    heat = drawn.astype(np.float64).reshape(volume.shape if drawn.ndim == 3 else (1, *drawn.shape))
    total, cut = float(heat.sum()), level * float(heat.max())
    area = np.zeros(heat.shape, dtype=bool)
    rows: list[Region] = []
    if total > 0:
        labels, count = ndimage.label(heat >= cut)
        masses = np.atleast_1d(ndimage.sum_labels(heat, labels, np.arange(1, count + 1)))
        for place in np.argsort(-masses, kind="stable")[:most]:
            if masses[place] < LEAST * masses.sum():
                break
            cells = labels == place + 1
            area |= cells
            rows.append(_region(volume, heat, cells, total, flat=drawn.ndim == 2))
    return Regions(tuple(rows), area.reshape(drawn.shape), cut)


def _smooth(explanation: Explanation, index: int) -> Float[Tensor, "*cells"]:
    """Return the positive evidence, smoothed where the method draws single voxels."""
    if explanation.method.resolution == "layer":
        return explanation.heatmap[index].float().clamp_min(0)
    return torch.as_tensor(evidence(explanation[index])[0]).float()


def _region(
    volume: Volume, heat: Float[np.ndarray, "d h w"], cells: Bool[np.ndarray, "d h w"], total: float, *, flat: bool
) -> Region:
    places = np.argwhere(cells)
    masses = heat[cells]
    centre = (places * masses[:, None]).sum(axis=0) / masses.sum()
    strongest = places[int(masses.argmax())]
    there = volume.affine @ np.append(centre, 1.0)
    size, unit = _size(volume, len(places), flat=flat)
    known = volume.oriented and volume.measured
    kept = slice(1, None) if flat else slice(None)
    return Region(
        size=size,
        unit=unit,
        extent=_extent(volume, places, flat=flat),
        centre=(float(there[0]), float(there[1]), float(there[2])) if known else None,
        voxel=tuple(round(value) for value in centre[kept].tolist()),
        peak=tuple(strongest[kept].tolist()),
        strength=float(masses.max()),
        share=float(masses.sum() / total),
        mean=float(volume.values[cells].mean(dtype=np.float64)),
        side=_side(volume, centre) if volume.oriented else "",
    )


def _size(volume: Volume, count: int, *, flat: bool) -> tuple[float, str]:
    if not volume.measured:
        return float(count), "pixels" if flat else "voxels"
    if flat:
        return count * volume.spacing[1] * volume.spacing[2], "mm²"
    return count * abs(float(np.linalg.det(volume.affine[:3, :3]))) / 1000, "ml"


def _extent(volume: Volume, places: np.ndarray, *, flat: bool) -> tuple[float, ...]:
    """Return the sides of the smallest box, in the order in which scans are shown."""
    steps = volume.spacing if volume.measured else (1.0, 1.0, 1.0)
    box = (places.max(axis=0) - places.min(axis=0) + 1) * np.array(steps)
    if flat:
        return tuple(box[1:].tolist())
    return tuple(box[list(volume.turn(SHOWN).axes)].tolist())


def _side(volume: Volume, centre: Float[np.ndarray, "3"]) -> str:
    """Return on which side of the scan's middle plane a place lies, as the patient has it."""
    axis = next(at for at, letter in enumerate(volume.directions) if letter in "RL")
    off = (centre[axis] + 0.5) / volume.shape[axis] - 0.5
    if abs(off) <= MIDDLE:
        return "middle"
    return "right" if (off > 0) == (volume.directions[axis] == "R") else "left"
