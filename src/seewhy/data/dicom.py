"""DICOM files: a single picture, frames in time, an enhanced volume, or a folder that holds the slices of a series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from seewhy.core.clip import Clip
from seewhy.core.volume import Volume, Window, full_window
from seewhy.data.dicom_file import MOST_VOXELS, Header, decoded, header, is_dicom
from seewhy.data.dicom_places import Plane, plane, spacing, stacked
from seewhy.data.dicom_values import colours, grey_picture, is_grey, unit_of, values, windows
from seewhy.data.identity import plain_title
from seewhy.data.scan import Scan
from seewhy.errors import DataError

_IN_TIME = frozenset({"US", "XA", "RF", "ES", "IVUS", "OCT", "XC", "GM", "SM"})
"""Kinds of files whose frames follow one another in time, where nothing in the file says otherwise."""


def read_dicom(path: Path) -> Scan:
    """Return what a file, or a folder with the slices of one series, holds.

    Raises:
        DataError: not a DICOM file; broken, cut short, gigantic; or slices that do not make one volume.
        MissingExtra: pydicom, or the decoder of a compression, is not installed; the message names it.
    """
    if path.is_dir():
        return _series(path)
    found = header(path)
    name = plain_title(path, found)
    if not is_grey(found):
        return _in_colour(found, path, name)
    read = _Read(found, path, name, _meant(found, path))
    return _single(read) if len(read.meant) == 1 else _several(read)


@dataclass(frozen=True, eq=False)
class _Read:
    """The header of a file in grey, where it is, its name for people, and its values (t, h, w)."""

    found: Header
    path: Path
    name: str
    meant: Float[np.ndarray, "t h w"]


def _several(read: _Read) -> Scan:
    """Return what a file with several frames in grey holds."""
    found, path, meant = read.found, read.path, read.meant
    frames = [plane(found, path, frame) for frame in range(len(meant))]
    placed = [where for where in frames if where is not None]
    if len(placed) == len(meant) and len({where.along for where in placed}) > 1:
        return _enhanced(read, placed)
    if found.get("GridFrameOffsetVector"):
        return _grid(read)
    if _seconds(found, len(meant)) is not None or found.get("Modality") in _IN_TIME:
        return _cine(read)
    return _unplaced(read)


def _meant(found: Header, path: Path) -> Float[np.ndarray, "t h w"]:
    stored = decoded(found, path)
    if stored.ndim not in (2, 3):
        raise DataError(f"{path}: grey pixels of shape {stored.shape} are not read")
    return values(found, stored)


def _single(read: _Read) -> Scan:
    """Return a single picture in grey, with its values."""
    found, path = read.found, read.path
    shown, notes = _window(found, path, read.meant)
    where, measured = plane(found, path), spacing(found, path)
    down, across = measured[0] if measured else (1.0, 1.0)
    affine = np.diag([1.0, down, across, 1.0])
    if where is not None:
        affine = stacked([where], read.name)[1]
        affine[:3, 0] *= _thickness(found)
    volume = _volume(read, affine, shown, oriented=where is not None)
    if measured is None:
        notes += ("The file does not say how large a pixel is: sizes are in pixels.",)
    elif measured[1] != "in the patient":
        larger = ", where all is larger than in the patient" if measured[1] == "at the detector" else ""
        notes += (f"Millimetres are measured {measured[1]}{larger}.",)
    return Scan(
        read.name, volume, grey_picture(found, read.meant[0], shown), notes=notes + _burned(found), files=(path,)
    )


def _volume(read: _Read, affine: Float[np.ndarray, "4 4"], shown: Window, *, oriented: bool) -> Volume:
    found = read.found
    return Volume(
        np.ascontiguousarray(read.meant, dtype=np.float32),
        affine,
        unit=unit_of(found),
        window=shown,
        kind=str(found.get("Modality") or ""),
        name=read.name,
        oriented=oriented,
        measured=spacing(found, read.path) is not None,
        inverted=found.get("PhotometricInterpretation") == "MONOCHROME1",
    )


def _thickness(found: Header) -> float:
    """Return how far it is to the next slice, which a single slice may tell; 1 mm where it does not."""
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        if abs(float(found.get(name) or 0)) > 0:
            return abs(float(found.get(name)))
    return 1.0


def _window(found: Header, path: Path, meant: Float[np.ndarray, "t h w"]) -> tuple[Window, tuple[str, ...]]:
    """Return the window in which a file is shown, and a remark where it is not the only one or the file has none."""
    said = windows(found, path)
    if said:
        more = f"The file names {len(said)} windows; the first is shown, {_words(said[0])}."
        return said[0], (more,) if len({(one.center, one.width) for one in said}) > 1 else ()
    if found.get("VOILUTSequence"):
        return full_window(meant), ()
    shown = full_window(meant)
    return shown, (f"The file names no window; it is shown from its 0.5th to its 99.5th percentile, {_words(shown)}.",)


def _words(window: Window) -> str:
    name = f"{window.name}: " if window.name and window.name != "own range" else ""
    return f"{name}centre {window.center:g}, width {window.width:g}"


def _burned(found: Header) -> tuple[str, ...]:
    if str(found.get("BurnedInAnnotation") or "").upper() == "YES":
        return (
            "The file says that words are burned into its pixels; they may name the patient, and are in every picture of it.",
        )
    return ()


def _in_colour(found: Header, path: Path, name: str) -> Scan:
    frames = colours(found, decoded(found, path), path)
    if len(frames) == 1:
        return Scan(name, picture=Image.fromarray(frames[0]), notes=_burned(found), files=(path,))
    return _clip(found, path, name, frames)


def _cine(read: _Read) -> Scan:
    shown, notes = _window(read.found, read.path, read.meant)
    grey = shown.shown(read.meant)
    grey = 1 - grey if read.found.get("PhotometricInterpretation") == "MONOCHROME1" else grey
    frames = np.repeat((grey * 255).round().astype(np.uint8)[..., None], 3, axis=3)
    made = _clip(read.found, read.path, read.name, frames)
    return replace(made, notes=notes + made.notes)


def _clip(found: Header, path: Path, name: str, frames: np.ndarray) -> Scan:
    seconds = _seconds(found, len(frames))
    notes = _burned(found)
    if seconds is None:
        seconds = tuple(number / 25 for number in range(len(frames)))
        notes += ("The file does not say when its frames were taken; 25 a second are assumed.",)
    last = seconds[-1] - seconds[0]
    rate = (len(frames) - 1) / last if last > 0 else 25.0
    return Scan(
        name,
        clip=Clip(np.ascontiguousarray(frames), seconds, tuple(range(len(frames))), rate),
        notes=notes,
        files=(path,),
    )


def _seconds(found: Header, count: int) -> tuple[float, ...] | None:
    """Return when each frame was taken, from the first; None where the file does not say."""
    steps = found.get("FrameTimeVector")
    if steps is not None and hasattr(steps, "__iter__") and len(steps) == count:
        return tuple((np.cumsum([float(step) for step in steps]) / 1000).tolist())
    step = float(found.get("FrameTime") or 0) / 1000
    for name in ("CineRate", "RecommendedDisplayFrameRate"):
        step = step or (1 / float(found.get(name)) if float(found.get(name) or 0) > 0 else 0.0)
    return tuple(number * step for number in range(count)) if step > 0 else None


def _enhanced(read: _Read, planes: Sequence[Plane]) -> Scan:
    """Return the volume of one file whose frames say where they lie."""
    order, affine, remarks = stacked(planes, read.name)
    return _stack(replace(read, meant=read.meant[order]), affine, remarks, (read.path,))


def _grid(read: _Read) -> Scan:
    """Return the volume of a dose grid, whose frames lie at offsets along the normal."""
    first = plane(read.found, read.path)
    offsets = [float(offset) for offset in read.found.GridFrameOffsetVector]
    if first is None or len(offsets) != len(read.meant):
        raise DataError(
            f"{read.path}: its {len(read.meant)} frames have {len(offsets)} offsets and no place; the file is broken"
        )
    planes = [
        replace(first, position=first.position + offset * first.normal, name=f"frame {number}")
        for number, offset in enumerate(offsets)
    ]
    return _enhanced(read, planes)


def _unplaced(read: _Read) -> Scan:
    """Return frames that do not say where they lie as a volume in the order in which they are stored."""
    measured = spacing(read.found, read.path)
    down, across = measured[0] if measured else (1.0, 1.0)
    affine = np.diag([_thickness(read.found), down, across, 1.0])
    return _stack(read, affine, (), (read.path,), oriented=False)


def _stack(
    read: _Read,
    affine: Float[np.ndarray, "4 4"],
    remarks: tuple[str, ...],
    files: tuple[Path, ...],
    *,
    oriented: bool = True,
) -> Scan:
    shown, notes = _window(read.found, read.path, read.meant)
    volume = _volume(read, affine, shown, oriented=oriented)
    return Scan(read.name, volume, notes=notes + remarks + _burned(read.found), files=files)


def files_of(folder: Path) -> list[Path]:
    """Return the DICOM files of a folder, not of those in it, sorted by name; the index of a disc and hidden files are left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith((".", "DICOMDIR")) and is_dicom(path)
    )


def is_series(folder: Path) -> bool:
    """Say whether a folder holds slices: DICOM files, of which the first one says where it lies in the patient, or a slice's place."""
    files = files_of(folder) if folder.is_dir() else []
    if not files:
        return False
    try:
        first = header(files[0], pixels=False)
    except DataError:
        return len(files) > 1
    return bool(first.get("ImagePositionPatient"))


def _series(folder: Path) -> Scan:
    """Return the volume of a folder with the slices of one series, put in order by where they lie, whatever their names are."""
    files = files_of(folder)
    if not files:
        raise DataError(f"{folder}: no DICOM files in this folder")
    heads = [header(file, pixels=False) for file in files]
    name = plain_title(folder, heads[0])
    _check_one_series(folder, files, heads)
    if len(files) == 1:
        return read_dicom(files[0])
    planes = []
    for file, head in zip(files, heads, strict=True):
        where = plane(head, file)
        if where is None:
            raise DataError(
                f"{file} does not say where it lies (no ImagePositionPatient); slices cannot be put in order without"
            )
        planes.append(where)
    order, affine, remarks = stacked(planes, str(folder))
    meant = np.empty((len(files), int(heads[0].Rows), int(heads[0].Columns)), dtype=np.float32)
    for place, number in enumerate(order):
        meant[place] = _slice(files[number])
    files = [files[number] for number in order]
    middle = header(files[len(files) // 2], pixels=False)
    return _stack(_Read(middle, files[0], name, meant), affine, remarks, tuple(files))


def _slice(file: Path) -> Float[np.ndarray, "h w"]:
    meant = _meant(header(file), file)
    if len(meant) != 1:
        raise DataError(
            f"{file} holds {len(meant)} frames, where a series has one slice in each file; give the file alone"
        )
    only: Float[np.ndarray, "h w"] = meant[0]
    return only


def _check_one_series(folder: Path, files: Sequence[Path], heads: Sequence[Header]) -> None:
    """Raise `DataError` where the files do not belong together, or have different sizes or more voxels than are read."""
    series: dict[str, list[str]] = {}
    for file, head in zip(files, heads, strict=True):
        if not is_grey(head):
            raise DataError(f"{file} is in colour; a volume has one value at each voxel")
        series.setdefault(str(head.get("SeriesInstanceUID")), []).append(file.name)
    if len(series) > 1:
        listed = "; ".join(f"{len(names)} like {names[0]}" for names in list(series.values())[:4])
        raise DataError(f"{folder} holds {len(series)} series ({listed}); put each into a folder of its own")
    sizes = {(int(head.Rows), int(head.Columns)): file.name for file, head in zip(files, heads, strict=True)}
    if len(sizes) > 1:
        listed = ", ".join(f"{name} {rows} x {columns}" for (rows, columns), name in list(sizes.items())[:3])
        raise DataError(f"{folder}: its slices have different sizes ({listed}); give a folder with one series only")
    [(rows, columns)] = sizes
    if len(files) * rows * columns > MOST_VOXELS:
        raise DataError(
            f"{folder}: {len(files)} slices of {rows} x {columns}; at most {MOST_VOXELS / 1e6:.0f} million voxels are read"
        )
