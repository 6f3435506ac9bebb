"""Read a picture from wherever it is: a file, a PIL picture, an array, a tensor."""

import stat
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.data.dicom import read_dicom
from seewhy.data.dicom_file import is_dicom
from seewhy.engine.model import Fit, Model
from seewhy.engine.preprocessing import prepare
from seewhy.errors import DataError

ENDINGS = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".avif",
        ".dcm",
        ".dicom",
    }
)
"""Endings that are looked for in a folder; a single file may have any."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA", "ICO")
"""Formats that are read. Others (EPS and WMF among them, which run foreign programs) are not tried."""

MOST_PIXELS = 89_478_485
"""Largest picture that is read: the size from which Pillow suspects a decompression bomb (256 MB of 24-bit pixels)."""

_DEEP = ("I", "F")
_OTHER_CHANNELS = (
    "An input of other channels goes, normalized, to seewhy.Session(model).explain(tensor of shape (b, c, h, w))"
)


def read(source: Any) -> tuple[Image.Image, str]:
    """Return a picture, upright and in 8-bit RGB, and its name.

    Args:
        source: a path (of a DICOM file too: it is read as a viewer shows it), a PIL picture, a uint8 array (h, w), (h, w, 1), (h, w, 3) or
            (h, w, 4), or a float tensor or array (c, h, w) with values from 0 to 1.

    Raises:
        DataError: no such file, not a picture, broken, too large, or an array of another kind.
    """
    if isinstance(source, (str, Path)):
        return _of_scan(Path(source)) if is_dicom(Path(source)) else (_open(Path(source)), Path(source).name)
    if isinstance(source, Image.Image):
        name = Path(getattr(source, "filename", "") or "picture").name
        with _told(name):
            source.load()
            return upright(source), name
    if isinstance(source, Tensor):
        source = source.detach().cpu()
        source = (source.float() if source.is_floating_point() else source).numpy()
    if isinstance(source, np.ndarray):
        return _from_array(source), "array"
    raise DataError(
        f"a picture is a path, a PIL image, a uint8 array (h, w, 3) or a float tensor (3, h, w) in 0-1; got {type(source).__name__}"
    )


def _of_scan(path: Path) -> tuple[Image.Image, str]:
    """Return the picture of a DICOM file as a viewer shows it, and its name without what identifies a patient."""
    check_file(path)
    scan = read_dicom(path)
    if scan.picture is None:
        raise DataError(f"{path} is {'frames in time' if scan.clip else 'a volume'}, and a single picture was wanted")
    return scan.picture, scan.name


def _open(path: Path) -> Image.Image:
    with _told(str(path)):
        check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=_readable())
        with image:
            image.load()
            return upright(image)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn whatever goes wrong while a picture is opened and decoded into one `DataError` that names it."""
    try:
        yield
    except DataError:
        raise
    except PermissionError:
        raise DataError(f"{name}: no permission to read it") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"{name} is gigantic: at most {MOST_PIXELS // 10**6} million pixels are read; make it smaller first"
        ) from None
    except UnidentifiedImageError:
        raise DataError(f"{name} is not a picture that can be read ({', '.join(FORMATS)})") from None
    except (
        Exception
    ) as error:  # decoders raise anything on broken files: OSError, SyntaxError, struct.error, IndexError
        raise DataError(f"{name} is broken or cut short ({str(error) or type(error).__name__})") from error


def check_file(path: Path, wanted: str = "a picture") -> None:
    """Raise `DataError` for what cannot be opened as a file: a folder, a pipe, a link to nowhere, an empty file."""
    try:
        kind = path.stat()
    except FileNotFoundError:
        link = path.is_symlink()
        raise DataError(
            f"{path} is a link to {path.readlink()}, which does not exist" if link else f"{path}: no such file"
        ) from None
    if stat.S_ISDIR(kind.st_mode):
        raise DataError(f"{path} is a folder; {wanted} was wanted")
    if not stat.S_ISREG(kind.st_mode):
        raise DataError(f"{path} is not a regular file; {wanted} was wanted")
    if kind.st_size == 0:
        raise DataError(f"{path} is empty")


@cache
def _readable() -> tuple[str, ...]:
    """Return those of the formats that this build of Pillow knows."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def upright(image: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF orientation says, in 8-bit RGB.

    Transparency is laid on white, palettes and CMYK are converted, and pictures of more than 8 bits are scaled from their own
    range: 16-bit grey by 257, floating-point and 32-bit grey from the least to the greatest value.

    Raises:
        DataError: no pixels, too many of them, or a colour space that cannot be converted.
    """
    if not image.width or not image.height:
        raise DataError(f"the picture is {image.width} x {image.height}: it has no pixels")
    if image.width * image.height > MOST_PIXELS:
        raise DataError(
            f"the picture has {image.width} x {image.height} pixels; at most {MOST_PIXELS // 10**6} million are read, make it smaller first"
        )
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in _DEEP:
        return _from_deep(image)
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(white, image).convert("RGB")
        return image.convert("RGB")
    except ValueError as error:
        raise DataError(f"a picture in colour space {image.mode} is not read; convert it to RGB first") from error


def _from_deep(image: Image.Image) -> Image.Image:
    """Scale a grey picture of more than 8 bits to 8 bits; what is not a number becomes black."""
    values = np.asarray(image).astype(np.float64)
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and 255 < high <= 65535):
        values = values / 257
    elif low < 0 or high > 255 or image.mode == "F":
        values = (values - low) / max(high - low, 1e-12) * 255
    values = np.where(finite, values, 0.0)
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8)).convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    shape = array.shape
    if 0 in shape:
        raise DataError(f"the picture has shape {shape}: it has no pixels")
    if array.dtype == np.uint8:
        if array.ndim == 3 and shape[2] == 1:
            array = array[:, :, 0]
        if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)):
            return upright(Image.fromarray(np.ascontiguousarray(array)))
        raise DataError(f"a uint8 picture has shape (h, w), (h, w, 3) or (h, w, 4); got {shape}. {_OTHER_CHANNELS}")
    if np.issubdtype(array.dtype, np.floating):
        if array.ndim != 3 or shape[0] not in (1, 3):
            raise DataError(
                f"a float picture has shape (3, h, w) or (1, h, w); got {shape}. For uint8 the channels are last. {_OTHER_CHANNELS}"
            )
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise DataError(
                f"a float picture has values from 0 to 1; these go from {array.min():.3g} to {array.max():.3g}. "
                "An input that is normalized already goes to seewhy.Session(model).explain(tensor)"
            )
        pixels = (array * 255).round().astype(np.uint8)
        return _from_array(np.moveaxis(pixels, 0, 2))
    raise DataError(
        f"a picture in memory is uint8 (h, w, c) or floating point (c, h, w) in 0-1; got {array.dtype} {shape}"
    )


def sample(source: Any, model: Model, fit: Fit | None = None) -> Sample:
    """Read a picture and prepare it as the model states.

    Raises:
        DataError: the picture cannot be read.
        ModelError: the model does not state its preprocessing.
    """
    picture, name = read(source)
    return prepare(picture, name, model, fit)


def files_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of the folders in it, sorted; hidden files and links that lead out of it are left out."""
    root = folder.resolve()
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
    )
    return sorted(path for path in found if not path.is_symlink() or path.resolve().is_relative_to(root))


def expand(sources: Iterable[str | Path]) -> list[Path]:
    """Return files, with each folder replaced by the pictures in it; raise `DataError` for a folder without any."""
    paths: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            inside = files_in(source)
            if not inside:
                raise DataError(f"{source}: no pictures in this folder (looked for {', '.join(sorted(ENDINGS))})")
            paths += inside
        else:
            paths.append(source)
    return paths
