"""Where the pixels of DICOM files lie in the patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from seewhy.data.dicom_file import Header
from seewhy.data.dicom_values import group
from seewhy.errors import DataError

Vector = Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice: the centre of its first pixel, the directions in which columns and rows go, and their steps.

    Attributes:
        position: millimetres in DICOM's coordinates (left, posterior, superior).
        right, down: unit vectors along which the column and the row number rise.
        spacing: (down, right) in millimetres.
        name: of the file, or the number of the frame.
    """

    position: Vector
    right: Vector
    down: Vector
    spacing: tuple[float, float]
    name: str

    @property
    def normal(self) -> Vector:
        """The direction across the slice."""
        return np.cross(self.right, self.down)

    @property
    def along(self) -> float:
        """Where the slice lies along its normal, in millimetres."""
        return float(self.normal @ self.position)


def plane(found: Header, path: Path, frame: int | None = None) -> Plane | None:
    """Return where a file, or one frame of it, lies; None where it does not say."""
    at, name = frame or 0, path.name if frame is None else f"frame {frame}"
    position = (group(found, at, "PlanePositionSequence") or found).get("ImagePositionPatient")
    orientation = (group(found, at, "PlaneOrientationSequence") or found).get("ImageOrientationPatient")
    steps = spacing(found, path)
    if not position or not orientation or steps is None:
        return None
    directions = np.array([float(value) for value in orientation])
    if (
        len(directions) != 6
        or len(position) != 3
        or abs(np.linalg.norm(np.cross(directions[:3], directions[3:])) - 1) > 1e-2
    ):
        raise DataError(f"{path}: its orientation {list(orientation)} is not two directions at right angles")
    return Plane(np.array([float(value) for value in position]), directions[:3], directions[3:], steps[0], name)


def spacing(found: Header, path: Path) -> tuple[tuple[float, float], str] | None:
    """Return millimetres from pixel to pixel (down, across), and what they are measured at; None where the file does not say.

    PixelSpacing is in the patient. ImagerPixelSpacing is at the detector of a projection X-ray, where everything is larger than in the
    patient, by the factor that the file may name.
    """
    measures = group(found, 0, "PixelMeasuresSequence") or found
    if measures.get("PixelSpacing"):
        calibrated = str(found.get("PixelSpacingCalibrationType") or "").lower()
        same = measures.get("PixelSpacing") == found.get("ImagerPixelSpacing") and not calibrated
        return _pair(measures.get("PixelSpacing"), path), "at the detector" if same else "in the patient"
    if found.get("ImagerPixelSpacing"):
        down, across = _pair(found.get("ImagerPixelSpacing"), path)
        factor = float(found.get("EstimatedRadiographicMagnificationFactor") or 0)
        if factor >= 1:
            return (down / factor, across / factor), "in the patient, as the file estimates the magnification"
        return (down, across), "at the detector"
    if found.get("NominalScannedPixelSpacing"):
        return _pair(found.get("NominalScannedPixelSpacing"), path), "on the film"
    return None


def _pair(said: Sequence[float], path: Path) -> tuple[float, float]:
    try:
        down, across = (float(value) for value in said)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: its spacing {said} is not two numbers") from error
    if not (np.isfinite([down, across]).all() and min(down, across) > 0):
        raise DataError(
            f"{path}: its pixels are {down:g} x {across:g} mm, which is no size; the spacing in the file is wrong"
        )
    return down, across


def stacked(planes: Sequence[Plane], name: str) -> tuple[list[int], Float[np.ndarray, "4 4"], tuple[str, ...]]:
    """Return the order of slices along their normal, the affine (slice, row, column) to RAS millimetres, and remarks.

    Raises:
        DataError: slices that are not parallel, two at one place, or one that is missing.
    """
    first = planes[0]
    for other in planes[1:]:
        if min(other.right @ first.right, other.down @ first.down) < 1 - 1e-3:
            raise DataError(
                f"{name}: {first.name} and {other.name} do not lie parallel; give a folder with one series only"
            )
        if not np.allclose(other.spacing, first.spacing, rtol=1e-3):
            raise DataError(f"{name}: {first.name} and {other.name} have pixels of different sizes")
    order = sorted(range(len(planes)), key=lambda number: planes[number].along)
    places = np.array([planes[number].along for number in order])
    remarks = _check_gaps(places, [planes[number].name for number in order], name)
    begin, end = planes[order[0]], planes[order[-1]]
    step = (end.position - begin.position) / max(1, len(planes) - 1) if len(planes) > 1 else first.normal * 1.0
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = begin.down * begin.spacing[0]
    affine[:3, 2] = begin.right * begin.spacing[1]
    affine[:3, 3] = begin.position
    return order, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, remarks


def _check_gaps(places: Float[np.ndarray, " n"], names: Sequence[str], name: str) -> tuple[str, ...]:
    gaps = np.diff(places)
    if not len(gaps):
        return ()
    usual = float(np.median(gaps))
    same = int(gaps.argmin())
    if gaps[same] < max(1e-3, 0.01 * usual):
        raise DataError(f"{name}: {names[same]} and {names[same + 1]} lie at the same place; leave one of each two out")
    wide = int(gaps.argmax())
    whole = gaps[wide] / usual
    if whole > 1.5 and abs(whole - round(whole)) < 0.1:
        missing = round(whole) - 1
        raise DataError(
            f"{name}: {missing} slice{'s are' if missing > 1 else ' is'} missing between {names[wide]} and {names[wide + 1]} "
            f"(they lie {gaps[wide]:.4g} mm apart, others {usual:.4g} mm)"
        )
    mean = float(gaps.mean())
    off = float(np.abs(places - (places[0] + mean * np.arange(len(places)))).max())
    if off > 0.1 * mean:
        return (
            f"Slices lie unevenly, {gaps.min():.3g} to {gaps.max():.3g} mm apart; they are taken as {mean:.3g} mm apart, "
            f"which moves some by up to {off:.2g} mm.",
        )
    return ()
