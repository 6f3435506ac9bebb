"""Tubes: where the strongest evidence of a clip hangs together over time and place."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.errors import ConfigError, ShapeError

HELD = 0.5
"""Share of the positive mass that the cells of all tubes hold together, before small tubes are dropped."""
LEAST = 0.02
"""A tube that holds less than this share of the positive mass is dropped."""


@dataclass(frozen=True)
class Slice:
    """What one frame holds of a tube, in cells of the map: edges, not centres.

    Attributes:
        frame: number of the frame.
        top, left, bottom, right: the smallest box that holds the tube's cells.
        mass: sum of the map in the tube's cells of this frame.
        centre: centre of that mass (y, x).
    """

    frame: int
    top: int
    left: int
    bottom: int
    right: int
    mass: float
    centre: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Tube:
    """Cells of a clip's map that hang together over time and place.

    Attributes:
        cells: which they are, (t, h, w).
        slices: one for each frame in which the tube has cells, in order; a tube has no gap in time.
        mass: sum of the map over the cells.
        share: the same as a share of all positive values of the map.
    """

    cells: Bool[Tensor, "t h w"]
    slices: tuple[Slice, ...]
    mass: float
    share: float

    @property
    def peak(self) -> Slice:
        """The slice with the most mass, the earliest of them where several have it."""
        return max(self.slices, key=lambda part: part.mass)


def threshold(heatmap: Float[Tensor, "t h w"], held: float = HELD) -> float:
    """Return the least value of the smallest set of cells that holds the share `held` of the positive mass; infinity where there is none.

    Cells with exactly that value all belong to {map >= threshold}, so that set may hold more.
    """
    values = heatmap.double().clamp_min(0).flatten().sort(descending=True).values
    sums = values.cumsum(0)
    if float(sums[-1]) <= 0:
        return float("inf")
    wanted = held * float(sums[-1]) * (1 - 1e-12)  # rounding must not ask for one cell more
    return float(values[int(torch.searchsorted(sums, wanted))])


def tubes(
    heatmap: Float[Tensor, "t h w"], held: float = HELD, *, quantile: float | None = None, least: float = LEAST
) -> list[Tube]:
    """Return the connected parts of {map >= tau}, heaviest first; cells touch where they share a face, an edge or a corner (26 neighbours).

    Args:
        heatmap: evidence; only positive values count.
        held: tau is the least value of the smallest set of cells that holds this share of the positive mass.
        quantile: tau is this quantile of the map's values instead; 0.9 leaves the strongest tenth.
        least: tubes with a smaller share of the positive mass are dropped.

    Misleads: one threshold holds for the whole clip, so evidence that is weak but steady makes no tube. Two objects that touch in one frame
    are one tube.

    Raises:
        ShapeError: the map is not (t, h, w).
        ConfigError: a share or a quantile out of range.
    """
    if heatmap.dim() != 3 or not heatmap.numel():
        raise ShapeError(f"tubes are found in a map (t, h, w), got the shape {tuple(heatmap.shape)}")
    if not 0 < held <= 1 or not 0 <= least < 1 or not (quantile is None or 0 <= quantile < 1):
        raise ConfigError(
            f"held lies in (0, 1], least and quantile in [0, 1); got held={held}, least={least}, quantile={quantile}"
        )
    values = heatmap.detach().double().cpu().clamp_min(0).numpy()
    total = float(values.sum())
    tau = threshold(heatmap.detach().cpu(), held) if quantile is None else float(np.quantile(values, quantile))
    labels, _ = ndimage.label((values >= tau) & (values > 0), structure=np.ones((3, 3, 3)))
    found = [
        _tube(values, labels, number, where, total)
        for number, where in enumerate(ndimage.find_objects(labels), start=1)
    ]
    return sorted((tube for tube in found if tube.share >= least), key=lambda tube: -tube.mass)


def _tube(values: np.ndarray, labels: np.ndarray, number: int, where: tuple[slice, ...], total: float) -> Tube:
    """Return the tube with one number, which lies in the box `where`."""
    inside = labels[where] == number
    part = np.where(inside, values[where], 0)
    starts = tuple(axis.start for axis in where)
    slices = tuple(_slice(part[step], inside[step], step, starts) for step in range(len(part)))
    cells = torch.zeros(values.shape, dtype=torch.bool)
    cells[where] = torch.from_numpy(inside)
    mass = float(part.sum())
    return Tube(cells, slices, mass, mass / total)


def _slice(part: np.ndarray, inside: np.ndarray, step: int, starts: tuple[int, ...]) -> Slice:
    first, top, left = starts
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    y, x = ndimage.center_of_mass(part)
    return Slice(
        frame=first + step,
        top=top + int(rows[0]),
        left=left + int(columns[0]),
        bottom=top + int(rows[-1]) + 1,
        right=left + int(columns[-1]) + 1,
        mass=float(part.sum()),
        centre=(top + float(y) + 0.5, left + float(x) + 0.5),
    )


@dataclass(frozen=True)
class Margins:
    """How much of a map's variation time alone tells, place alone, and only both together; the three add up to 1.

    Attributes:
        time: share explained by the mean of each frame: the map says *when*.
        space: share explained by the mean over time at each place: the map says *where*.
        interaction: the rest: the place changes with time, as when evidence moves.
    """

    time: float
    space: float
    interaction: float


def margins(heatmap: Float[Tensor, "t h w"]) -> Margins | None:
    """Split the variance of a map over time and place; None for a map that is the same everywhere.

    m(t, s) = mean + a(t) + b(s) + rest(t, s) with sums of a, b and rest that are zero, so that the variances add up: the two-way analysis
    of variance with one value a cell (Fisher 1925). One frame has no time, and a share of 0.
    """
    values = heatmap.detach().double().flatten(1)
    centred = values - values.mean()
    whole = float(centred.square().mean())
    if whole <= 1e-24 * float(values.square().mean().clamp_min(1e-300)):
        return None
    time, space = centred.mean(dim=1, keepdim=True), centred.mean(dim=0, keepdim=True)
    rest = centred - time - space
    return Margins(*(float(part.square().mean()) / whole for part in (time, space, rest)))
