"""Medical files, whatever their format."""

from collections.abc import Iterable
from pathlib import Path

from seewhy.data.dicom import files_of, is_series, read_dicom
from seewhy.data.dicom_file import is_dicom
from seewhy.data.nifti import is_nifti, read_nifti
from seewhy.data.scan import Scan
from seewhy.errors import DataError


def is_scan(path: Path) -> bool:
    """Say whether a path is a medical file, or a folder with the slices of a series."""
    try:
        return is_nifti(path) or (is_series(path) if path.is_dir() else is_dicom(path))
    except OSError:  # such as a name that is too long, or a folder that may not be read: whoever reads it says so
        return False


def read_scan(path: str | Path, time: int | None = None) -> Scan:
    """Return what a DICOM file, a folder with a DICOM series, or a NIfTI file holds.

    Args:
        path: the file or the folder.
        time: which volume of a NIfTI file that holds several, from 0.

    Raises:
        DataError: it cannot be read; the message says why.
        MissingExtra: a package is missing; the message names it.
    """
    path = Path(path)
    if is_nifti(path):
        return read_nifti(path, time)
    if time is not None:
        raise DataError(f"{path}: --time chooses one of several volumes of a NIfTI file, and this is none")
    if not path.exists():
        raise DataError(f"{path}: no such file")
    return read_dicom(path)


def scans_in(folder: Path) -> list[Path]:
    """Return the scans of a folder and of those in it: series by their folders, other files by themselves; sorted."""
    found: list[Path] = []
    for place in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]:
        if is_series(place):
            found.append(place)
        else:
            found += files_of(place)
        found += sorted(path for path in place.iterdir() if path.is_file() and is_nifti(path))
    return found


def scans_among(sources: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Return the scans among files and folders, and what is left; a folder with scans in it is replaced by them."""
    scans: list[Path] = []
    others: list[Path] = []
    for source in map(Path, sources):
        found = scans_in(source) if source.is_dir() else [source] if is_scan(source) else []
        scans += found
        if not found:
            others.append(source)
    return scans, others
