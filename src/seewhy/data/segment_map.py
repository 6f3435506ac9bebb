"""Read a segment map: which pixel belongs to which part of a picture."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from seewhy.core.values import Array
from seewhy.errors import DataError

MOST_PIXELS = 1 << 26
"""Largest map that is read."""


def read_segments(path: str | Path) -> Array:
    """Return a map of integers (h, w): from a `.npy` file, or from a picture in which each colour is a segment.

    Raises:
        DataError: no such file, not a map of integers with two axes, or too large.
    """
    path = Path(path)
    try:
        values = np.load(path, allow_pickle=False, mmap_mode="r") if path.suffix == ".npy" else _colours(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: not a segment map, which is a .npy file of integers or a picture ({error})"
        ) from error
    if values.ndim != 2 or values.dtype.kind not in "iub" or not 0 < values.size <= MOST_PIXELS:
        raise DataError(
            f"{path}: a segment map holds one integer per pixel (h, w), at most {MOST_PIXELS} of them; got {values.dtype} {values.shape}"
        )
    return Array.of(np.unique(values, return_inverse=True)[1].reshape(values.shape))


def _colours(path: Path) -> np.ndarray:
    """Return one number for each colour of a picture; a palette's or a grey picture's own numbers are kept."""
    with Image.open(path) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
        if picture.mode in ("1", "L", "P", "I", "I;16"):
            return np.asarray(picture).astype(np.int64)
        pixels = np.asarray(picture.convert("RGB")).astype(np.int64)
    return pixels[..., 0] * 65536 + pixels[..., 1] * 256 + pixels[..., 2]
