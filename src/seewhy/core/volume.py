"""A scan: values at voxels, and where each voxel lies in the patient, in millimetres."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor

from seewhy.errors import ConfigError, DataError
from seewhy.ops.resampling import outside, resampled

AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
"""Of each side of a patient: along which axis of RAS coordinates it lies, and on which side of zero."""

SHOWN = "SPL"
"""How scans are shown: slices go upwards, rows to the back, columns to the patient's left, so that the right is on the left of the screen."""

Shape = Literal["linear", "linear_exact", "sigmoid"]
Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Window:
    """Which values are shown from black to white.

    Attributes:
        center, width: in the scan's unit.
        shape: "linear", "linear_exact" or "sigmoid", as DICOM defines them (PS3.3, C.11.2.1.2 and C.11.2.1.3).
        name: such as "lung".
    """

    center: float
    width: float
    shape: Shape = "linear"
    name: str = ""

    def __post_init__(self) -> None:
        least = 1.0 if self.shape == "linear" else 0.0
        if not (np.isfinite([self.center, self.width]).all() and self.width >= least and self.width > 0):
            raise DataError(f"a window has a finite centre and a width above 0, got {self.center} and {self.width}")

    @classmethod
    def between(cls, low: float, high: float, name: str = "") -> "Window":
        """Return the window that shows `low` as black and `high` as white."""
        return cls((low + high) / 2, max(high - low, 1e-6), "linear_exact", name)

    def shown(self, values: Float[np.ndarray, "*cells"]) -> Float[np.ndarray, "*cells"]:
        """Return values from 0 (black) to 1 (white)."""
        if self.shape == "sigmoid":
            power = np.clip(-4 * (values - self.center) / self.width, -60, 60)
            return (1 / (1 + np.exp(power))).astype(np.float32)
        if self.shape == "linear_exact":
            return np.clip((values - self.center) / self.width + 0.5, 0, 1).astype(np.float32)
        if self.width == 1:
            return (values > self.center - 0.5).astype(np.float32)
        return np.clip((values - (self.center - 0.5)) / (self.width - 1) + 0.5, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Turn:
    """Axes exchanged and turned round: how one orientation becomes another, exactly and back.

    Attributes:
        axes: which old axis each new one is.
        flips: which of the new axes run the other way.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)

    def apply(self, values: Shaped[np.ndarray, "d h w"]) -> Shaped[np.ndarray, "a b c"]:
        """Return values in the new orientation."""
        turned: Shaped[np.ndarray, "a b c"] = values.transpose(self.axes)
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def undo(self, values: Tensor) -> Tensor:
        """Return values (d, h, w) of the new orientation in the old one."""
        turned = values.flip([axis for axis, flip in enumerate(self.flips) if flip])
        return turned.permute(*(self.axes.index(axis) for axis in range(3)))

    def matrix(self, shape: tuple[int, ...]) -> Float[np.ndarray, "4 4"]:
        """Return what makes a place in the new orientation one in the old orientation of `shape`, both in voxels."""
        made = np.zeros((4, 4))
        made[3, 3] = 1.0
        for new, (old, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            made[old, new] = -1.0 if flip else 1.0
            made[old, 3] = shape[old] - 1 if flip else 0.0
        return made


@dataclass(frozen=True, eq=False)
class Volume:
    """Values at voxels, in the order of the file's own axes, and where they lie. Nothing in it says whose they are.

    Attributes:
        values: (d, h, w), in `unit`.
        affine: takes a voxel's three numbers to millimetres: to the patient's right, front and head (RAS).
        unit: "HU", or empty.
        window: what is shown from black to white; None: from the 0.5th to the 99.5th percentile.
        kind: "CT", "MR", ... as the file says; empty if it does not.
        name: for people.
        oriented: whether the file says how the voxels lie in the patient; sides cannot be named if not.
        measured: whether the file says how large the voxels are; sizes are in voxels if not.
        inverted: low values are shown white (MONOCHROME1).
    """

    values: Float[np.ndarray, "d h w"]
    affine: Float[np.ndarray, "4 4"]
    unit: str = ""
    window: Window | None = None
    kind: str = ""
    name: str = ""
    oriented: bool = True
    measured: bool = True
    inverted: bool = False

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or 0 in self.values.shape or self.values.dtype != np.float32:
            raise DataError(
                f"values of a volume are float32 (d, h, w), at least one voxel; got {self.values.dtype} {self.values.shape}"
            )
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise DataError(f"{self.name or 'a volume'}: the affine is a 4 x 4 matrix of finite numbers")
        sizes = np.linalg.norm(self.affine[:3, :3], axis=0)
        if not (sizes > 0).all() or abs(np.linalg.det(self.affine[:3, :3])) < 1e-9 * sizes.prod():
            raise DataError(
                f"{self.name or 'a volume'}: voxels of {' x '.join(f'{size:.3g}' for size in sizes)} mm have no volume; "
                "the spacing in the file is wrong"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many voxels lie along each axis."""
        depth, height, width = self.values.shape
        return depth, height, width

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres from one voxel to the next, along each axis."""
        first, second, third = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return first, second, third

    @property
    def directions(self) -> str:
        """To which side of the patient each axis increases, such as "SPL": the nearest, where the scan is tilted."""
        cosines = self.affine[:3, :3] / np.array(self.spacing)
        rows, columns = _nearest_axes(cosines)
        letters = ["", "", ""]
        for row, column in zip(rows, columns, strict=True):
            letters[column] = ("RAS", "LPI")[int(cosines[row, column] < 0)][row]
        return "".join(letters)

    @property
    def tilt(self) -> float:
        """Largest angle, in degrees, between an axis of the scan and the axis of the patient that it is named after."""
        cosines = self.affine[:3, :3] / np.array(self.spacing)
        return float(np.degrees(np.arccos(np.clip(np.abs(cosines[_nearest_axes(cosines)]).min(), -1, 1))))

    def turn(self, directions: str) -> Turn:
        """Return how the volume is turned until its axes increase to these sides; not at all where its orientation is not known."""
        return turn(self.directions, directions) if self.oriented else Turn()

    def turned(self, directions: str = SHOWN) -> "Volume":
        """Return the same volume with its axes in another order and sense; exact."""
        how = self.turn(directions)
        return replace(self, values=how.apply(self.values), affine=self.affine @ how.matrix(self.shape))

    @property
    def shown(self) -> Window:
        """The window in which it is shown."""
        return self.window or full_window(self.values)

    def grey(self, window: Window | None = None) -> Float[np.ndarray, "d h w"]:
        """Return the values as they are shown, from 0 (black) to 1 (white)."""
        seen = (window or self.shown).shown(self.values)
        return 1 - seen if self.inverted else seen

    def picture(self, index: int = 0) -> Image.Image:
        """Return one slice along the first axis as an 8-bit picture."""
        grey = replace(self, values=self.values[index : index + 1]).grey(self.shown)[0]
        return Image.fromarray((grey * 255).round().astype(np.uint8)).convert("RGB")


def _nearest_axes(cosines: Float[np.ndarray, "3 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Return which axis of the patient (rows) goes with which of the scan (columns), so that the cosines are largest in all."""
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    rows, columns = linear_sum_assignment(-np.abs(cosines))
    return rows, columns


def turn(found: str, wanted: str) -> Turn:
    """Return how axes that increase to the sides `found` become axes that increase to the sides `wanted`."""
    known = [AXES[letter] for letter in found]
    axes, flips = [], []
    for letter in checked_directions(wanted):
        axis, sign = AXES[letter]
        at = [old for old, _ in known].index(axis)
        axes.append(at)
        flips.append(known[at][1] != sign)
    return Turn((axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))


def checked_directions(text: str) -> str:
    """Return three letters that name one side of each axis; raise `ConfigError` for anything else."""
    if len(text) != 3 or {AXES.get(letter, (9,))[0] for letter in text} != {0, 1, 2}:
        raise ConfigError(
            f"an orientation is three letters, one of R and L, one of A and P, one of S and I, such as 'SPL' or 'RAS'; got {text!r}"
        )
    return text


def full_window(values: Float[np.ndarray, "*cells"]) -> Window:
    """Return the window from the 0.5th to the 99.5th percentile."""
    some = values.ravel()[:: max(1, values.size // 1_000_000)]
    low, high = np.percentile(some, (0.5, 99.5)).tolist()
    return Window.between(low, high, "own range")


@dataclass(frozen=True)
class Placement:
    """Which part of a volume the network saw, how it was turned, and at which size.

    Attributes:
        source: shape (d, h, w) of the volume, in the order of its own axes.
        turn: how the volume was turned before.
        window: where the input begins and ends along each axis of the turned volume, in its voxels: edges, not centres.
        size: shape (d, h, w) of the input.
    """

    source: tuple[int, int, int]
    turn: Turn
    window: Box
    size: tuple[int, int, int]

    @property
    def turned(self) -> tuple[int, int, int]:
        """Shape of the turned volume."""
        first, second, third = (self.source[axis] for axis in self.turn.axes)
        return first, second, third

    def to_source(self, heatmap: Float[Tensor, "a b c"]) -> Float[Tensor, "d h w"]:
        """Return a map of the input (at any resolution) on the volume's own voxels; NaN where the network saw nothing."""
        cells = tuple(heatmap.shape)
        back = tuple(
            ((0 - low) / (high - low) * count, (whole - low) / (high - low) * count)
            for (low, high), whole, count in zip(self.window, self.turned, cells, strict=True)
        )
        drawn = resampled(heatmap.float(), back, self.turned)
        drawn = drawn.masked_fill(outside(back, cells, self.turned).to(drawn.device), torch.nan)
        return self.turn.undo(drawn).contiguous()

    def taken(self, values: Float[np.ndarray, "d h w"], *, nearest: bool = False) -> Float[Tensor, "a b c"]:
        """Return what the network sees of a volume's values; margins have its least value."""
        turned = torch.from_numpy(np.ascontiguousarray(self.turn.apply(values)))
        least = float(turned.min())
        seen = resampled(turned - least, self.window, self.size, smooth=True, nearest=nearest)
        return seen + least
