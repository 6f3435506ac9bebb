"""NIfTI files into volumes, and maps back into NIfTI."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from seewhy.core.volume import Volume
from seewhy.data.dicom_file import MOST_VOXELS
from seewhy.data.scan import Scan
from seewhy.errors import DataError, optional

_MILLIMETRES = {"meter": 1000.0, "micron": 0.001, "mm": 1.0, "unknown": 1.0}


def is_nifti(path: Path) -> bool:
    """Say whether a file is a NIfTI file, by its ending."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti(path: Path, time: int | None = None) -> Scan:
    """Return the volume of a NIfTI file, in the order of the file's own axes.

    Args:
        path: `.nii` or `.nii.gz`.
        time: which of several volumes, from 0.

    Raises:
        DataError: no such file, broken or cut short, gigantic, of colours or complex numbers, of two or five axes, or of several volumes
            where none was chosen.
        MissingExtra: nibabel is not installed.
    """
    image = _opened(path)
    shape = _volume_shape(path, image.shape, time)
    values, notes = _values(path, image, time if len(shape) == 4 else None)
    affine = np.asarray(image.affine, dtype=np.float64).copy()
    affine[:3] *= _MILLIMETRES.get(image.header.get_xyzt_units()[0], 1.0)
    measured = bool(np.isfinite(affine).all() and (np.linalg.norm(affine[:3, :3], axis=0) > 0).all())
    if not measured:
        raise DataError(f"{path}: its affine gives voxels without a size; the spacing in the file is wrong")
    placed = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    volume = Volume(values, affine, name=path.name, oriented=placed)
    return Scan(path.name, volume, notes=notes, files=(path,))


def _opened(path: Path) -> Any:
    """Return the image of a file, its voxels not read yet."""
    nibabel = optional("nibabel", "medical")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty")
        return nibabel.Nifti1Image.from_filename(path) if _is_first(path) else nibabel.Nifti2Image.from_filename(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DataError:
        raise
    except Exception as error:  # a broken header may raise anything while it is parsed
        raise DataError(f"{path} is not a NIfTI file, or a broken one ({_first_line(error)})") from error


def _is_first(path: Path) -> bool:
    """Say whether a file is of the first version of the format, whose header has 348 bytes, not 540."""
    opening = gzip.open if path.name.lower().endswith(".gz") else open
    with opening(path, "rb") as file:
        return 540 not in (int.from_bytes(begin := file.read(4), "little"), int.from_bytes(begin, "big"))


def _volume_shape(path: Path, shape: tuple[int, ...], time: int | None) -> tuple[int, ...]:
    """Return the shape (d, h, w) or (d, h, w, t); raise `DataError` where it is another or too large."""
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (3, 4) or 0 in shape:
        raise DataError(f"{path} has the shape {shape}; a volume has three axes, or four with time")
    if int(np.prod([int(cells) for cells in shape[:3]], dtype=object)) > MOST_VOXELS:
        raise DataError(
            f"{path} claims {' x '.join(map(str, shape[:3]))} voxels; at most {MOST_VOXELS / 1e6:.0f} million are read"
        )
    if len(shape) == 4 and time is None:
        raise DataError(f"{path} holds {shape[3]} volumes, one after the other; say which: --time 0 to {shape[3] - 1}")
    if time is not None and not 0 <= time < (shape[3] if len(shape) == 4 else 1):
        raise DataError(f"{path} holds {shape[3] if len(shape) == 4 else 1} volumes; there is no number {time}")
    return shape


def _values(path: Path, image: Any, time: int | None) -> tuple[Float[np.ndarray, "d h w"], tuple[str, ...]]:
    """Return the values, slope and intercept applied, and remarks on those that are no numbers."""
    kind = image.get_data_dtype()
    if kind.fields is not None or kind.kind == "c":
        raise DataError(
            f"{path} holds {'colours' if kind.fields else 'complex numbers'}; a volume of one number at each voxel is wanted"
        )
    try:
        source = image.dataobj if time is None else image.dataobj[..., time]
        values = np.asarray(source, dtype=np.float32)
    except MemoryError:
        raise DataError(f"{path}: its voxels do not fit into memory") from None
    except Exception as error:  # reading a file that is cut short raises OSError, EOFError, zlib.error, ValueError
        raise DataError(f"{path} is broken or cut short ({_first_line(error)})") from error
    return finite(values.reshape(values.shape[:3]), str(path))


def finite(values: Float[np.ndarray, "d h w"], name: str) -> tuple[Float[np.ndarray, "d h w"], tuple[str, ...]]:
    """Return values with the least finite one where there is no number, and a remark on how many there were.

    Raises:
        DataError: no voxel is a finite number.
    """
    fine = np.isfinite(values)
    if fine.all():
        return np.ascontiguousarray(values), ()
    if not fine.any():
        raise DataError(f"{name}: no voxel is a finite number")
    share = 1 - float(fine.mean())
    put = np.where(fine, values, values[fine].min()).astype(np.float32)
    return put, (
        f"{100 * share:.2g} % of the voxels are no finite numbers; the least value of the scan stands in their place.",
    )


def nifti_bytes(
    values: Float[np.ndarray, "d h w"], affine: Float[np.ndarray, "4 4"], *, oriented: bool = True, words: str = ""
) -> bytes:
    """Return a map as a `.nii.gz` file with a new header, so that nothing of the source's reaches it; the same map gives the same bytes.

    Args:
        values: at the source's voxels; NaN where the network saw nothing.
        affine: the source's.
        oriented: whether the affine says how the voxels lie in the patient.
        words: a line of at most 80 characters that says what the values are.
    """
    nibabel = optional("nibabel", "medical")
    image = nibabel.Nifti1Image(np.asfortranarray(values, dtype=np.float32), affine)
    image.header.set_xyzt_units("mm")
    code = 1 if oriented else 0
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    image.header["descrip"] = words.encode("ascii", "replace")[:79]
    return gzip.compress(image.to_bytes(), 4, mtime=0)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
