"""Open a DICOM file and decode its pixels; whatever is wrong with it becomes one line that says what."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from seewhy.errors import DataError, MissingExtra, optional

Header = Any
"""A data set as pydicom reads it."""

ENDINGS = frozenset({".dcm", ".dicom", ".ima"})
"""Endings by which a DICOM file is known; a file without any is known by its first bytes."""

MOST_VOXELS = 2**29
"""The most voxels, or pixels of all frames, that are read: 2 GiB as 32-bit numbers."""

_DECODERS = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.57": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.70": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg pylibjpeg-openjpeg",
}
"""Packages that decode a transfer syntax, as pydicom's documentation names them."""


def library() -> ModuleType:
    """Return pydicom; raise `MissingExtra` where it is not installed."""
    return optional("pydicom", "medical")


def is_dicom(path: Path) -> bool:
    """Say whether a file is a DICOM file: by its ending, or without one by the letters DICM after 128 bytes."""
    if path.suffix.lower() in ENDINGS:
        return True
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:  # whoever reads it as something else says what is wrong with it
        return False


def header(path: Path, *, pixels: bool = True) -> Header:
    """Return what a file says, and its pixels still encoded.

    Raises:
        DataError: not a DICOM file, cut short, or one that holds no picture, such as a report or a plan.
        MissingExtra: pydicom is not installed.
    """
    pydicom = library()
    try:
        found = _read(pydicom, path, pixels=pixels)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    except Exception as error:  # a broken header may raise anything while it is parsed
        raise DataError(f"{path} is not a DICOM file, or a broken one ({_first_line(error)})") from error
    if not {"Rows", "Columns"} <= set(found.dir()):
        kind = found.get("Modality", "")
        raise DataError(
            f"{path} holds no picture{f' (it is of kind {kind})' if kind else ', or is no DICOM file'}; give an image file"
        )
    return found


def _read(pydicom: ModuleType, path: Path, *, pixels: bool) -> Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that break the rules of the standard and are read all the same
        try:
            return pydicom.dcmread(path, stop_before_pixels=not pixels)
        except pydicom.errors.InvalidDicomError:  # files of before the standard's part 10 have no mark of their own
            return pydicom.dcmread(path, stop_before_pixels=not pixels, force=True)


def decoded(found: Header, path: Path) -> np.ndarray:
    """Return the pixels as they are stored: (h, w), (t, h, w), (h, w, 3) or (t, h, w, 3); colours as RGB.

    Raises:
        DataError: more pixels than are read, cut short, or broken.
        MissingExtra: no decoder of this compression is installed.
    """
    _check_size(found, path)
    if not any(name in found for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise DataError(f"{path} has the description of a picture and no pixels: it is cut short")
    if "TransferSyntaxUID" not in getattr(found, "file_meta", {}):
        _state_syntax(found)
    _check_decoder(found, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asarray(found.pixel_array)
        except MemoryError:
            raise DataError(f"{path}: its pixels do not fit into memory") from None
        except Exception as error:  # decoders raise anything on broken data
            raise DataError(
                f"{path} is broken or cut short ({_first_line(error)}){_other_decoder(found, error)}"
            ) from error


def _other_decoder(found: Header, error: Exception) -> str:
    """Return which package may decode what those that are installed do not: some read only a part of a compression."""
    package = _DECODERS.get(str(found.file_meta.TransferSyntaxUID))
    if package is None or "plugins" not in str(error):
        return ""
    package = "pylibjpeg pylibjpeg-libjpeg" if package == "pillow" else package
    return f", or {found.file_meta.TransferSyntaxUID.name} of a form that wants another decoder: pip install {package}"


def _check_size(found: Header, path: Path) -> None:
    """Raise `DataError` where the header claims more pixels than are read, or none."""
    try:
        claimed = [int(found.get(name) or 0) for name in ("Rows", "Columns")]
        frames = int(found.get("NumberOfFrames") or 1)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: its size is no number ({_first_line(error)})") from error
    if min(claimed) < 1 or frames < 1:
        raise DataError(f"{path}: a picture of {claimed[0]} x {claimed[1]} pixels and {frames} frames has no pixels")
    if claimed[0] * claimed[1] * frames > MOST_VOXELS:
        raise DataError(
            f"{path} claims {frames} frames of {claimed[0]} x {claimed[1]}; at most {MOST_VOXELS / 1e6:.0f} million pixels are read"
        )


def _state_syntax(found: Header) -> None:
    """State how a file without a file header is encoded, as it was found to be when it was read."""
    pydicom = library()
    implicit, little = found.original_encoding
    syntax = pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
    found.file_meta = pydicom.dataset.FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax if little is not False else pydicom.uid.ExplicitVRBigEndian


def _check_decoder(found: Header, path: Path) -> None:
    """Raise where no decoder of a compressed file is installed, and name the syntax and the package."""
    syntax = found.file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax.name.startswith("Deflated"):
        return
    try:
        available = library().pixels.get_decoder(syntax).is_available
    except NotImplementedError:
        raise DataError(f"{path} is compressed as {syntax.name}, which is not decoded; decompress it first") from None
    if not available:
        package = _DECODERS.get(str(syntax), "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg")
        raise MissingExtra(
            f"{path} is compressed as {syntax.name}, and no decoder of it is installed: pip install {package}"
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return " ".join(lines[:2])[:300] or type(error).__name__
