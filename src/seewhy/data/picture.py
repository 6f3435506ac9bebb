"""Read a picture from wherever it is, and turn it into a network's input."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from seewhy.core.sample import Geometry, Sample
from seewhy.engine.model import Fit, Model
from seewhy.errors import ConfigError, DataError

ENDINGS = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
"""Endings that are looked for in a folder; a single file may have any."""

MOST_PIXELS = 178_956_970
"""Largest picture that is read: the size at which Pillow suspects a decompression bomb (512 MB of 24-bit pixels)."""


def read(source: Any) -> tuple[Image.Image, str]:
    """Return a picture, upright and in 8-bit RGB (or grey), and its name.

    Args:
        source: a path, a PIL picture, a uint8 array (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), or a float tensor or array (c, h, w)
            with values from 0 to 1.

    Raises:
        DataError: no such file, not a picture, broken, too large, or an array of another kind.
    """
    if isinstance(source, (str, Path)):
        return _open(Path(source)), Path(source).name
    if isinstance(source, Image.Image):
        return upright(source), Path(getattr(source, "filename", "") or "picture").name
    if isinstance(source, Tensor):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        return _from_array(source), "array"
    raise DataError(
        f"a picture is a path, a PIL image, a uint8 array (h, w, 3) or a float tensor (3, h, w) in 0-1; got {type(source).__name__}"
    )


def _open(path: Path) -> Image.Image:
    if path.is_dir():
        raise DataError(f"{path} is a folder; a picture was wanted")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise DataError(
                        f"{path} has {image.width} x {image.height} pixels; at most {MOST_PIXELS // 10**6} million are read"
                    )
                image.load()
                return upright(image)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read it") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"{path} is gigantic: at most {MOST_PIXELS // 10**6} million pixels are read; make it smaller first"
        ) from None
    except UnidentifiedImageError:
        raise DataError(f"{path} is not a picture that can be read") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is broken or cut short ({error})") from error


def upright(image: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF orientation says, in 8-bit RGB.

    Transparency is laid on white, palettes and CMYK are converted, and pictures of more than 8 bits are scaled from their own
    range: 16-bit grey by 257, floating-point and 32-bit grey from the least to the greatest value.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _from_deep(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """Scale a grey picture of more than 8 bits to 8 bits."""
    values = np.asarray(image).astype(np.float64)
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < values.max() <= 65535 and values.min() >= 0):
        values = values / 257
    elif values.size and (values.min() < 0 or values.max() > 255 or image.mode == "F"):
        low, high = np.nanmin(values), np.nanmax(values)
        values = (values - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(np.nan_to_num(values).round().clip(0, 255).astype(np.uint8)).convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    shape = array.shape
    if array.dtype == np.uint8:
        if array.ndim == 3 and shape[2] == 1:
            array = array[:, :, 0]
        if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)):
            return upright(Image.fromarray(np.ascontiguousarray(array)))
        raise DataError(f"a uint8 picture has shape (h, w), (h, w, 3) or (h, w, 4); got {shape}")
    if np.issubdtype(array.dtype, np.floating):
        if array.ndim != 3 or shape[0] not in (1, 3):
            raise DataError(
                f"a float picture has shape (3, h, w) or (1, h, w); got {shape}. For uint8 the channels are last"
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


def fitted(source: tuple[int, int], size: tuple[int, int], fit: Fit, crop: float = 1.0) -> Geometry:
    """Return which window of a source (h, w) becomes an input of `size` (h, w).

    Args:
        fit: "crop" cuts the centre out, "pad" shows the whole picture with margins, "squash" changes its proportions.
        crop: for "crop": the share of the largest centre window that is kept.
    """
    height, width = source
    if fit == "squash":
        return Geometry(source, (0.0, 0.0, float(height), float(width)), size)
    scales = (height / size[0], width / size[1])  # source pixels per input pixel
    scale = min(scales) * crop if fit == "crop" else max(scales)
    window_height, window_width = size[0] * scale, size[1] * scale
    top, left = (height - window_height) / 2, (width - window_width) / 2
    return Geometry(source, (top, left, top + window_height, left + window_width), size)


def sample(source: Any, model: Model, fit: Fit | None = None) -> Sample:
    """Read a picture and prepare it as the model states.

    Raises:
        DataError: the picture cannot be read.
        ModelError: the model does not state its preprocessing.
    """
    picture, name = read(source)
    return prepare(picture, name, model, fit)


def prepare(picture: Image.Image, name: str, model: Model, fit: Fit | None = None) -> Sample:
    """Return the sample of an upright picture."""
    size, mean, std = model.needs_preprocessing()
    if fit not in (None, "crop", "pad", "squash"):
        raise ConfigError(f"fit is 'crop', 'pad' or 'squash', got {fit!r}")
    geometry = fitted((picture.height, picture.width), size, fit or model.fit, model.crop)
    pixels = resample(picture, geometry, model)
    return Sample(normalize(pixels, mean, std), picture, geometry, name)


def resample(picture: Image.Image, geometry: Geometry, model: Model) -> Float[Tensor, "c h w"]:
    """Return the pixels (0 to 1) of the window at the input's size, in the model's order of channels; margins are black."""
    method = {
        "bicubic": Image.Resampling.BICUBIC,
        "bilinear": Image.Resampling.BILINEAR,
        "lanczos": Image.Resampling.LANCZOS,
    }[model.interpolation]
    grey = model.channels == "grey"
    picture = picture.convert("L" if grey else "RGB")
    (height, width), (top, left, bottom, right) = geometry.size, geometry.window
    inside = (max(top, 0.0), max(left, 0.0), min(bottom, float(picture.height)), min(right, float(picture.width)))
    rows = (round((inside[0] - top) / (bottom - top) * height), round((inside[2] - top) / (bottom - top) * height))
    columns = (round((inside[1] - left) / (right - left) * width), round((inside[3] - left) / (right - left) * width))
    size = (max(1, columns[1] - columns[0]), max(1, rows[1] - rows[0]))
    part = picture.resize(size, method, box=(inside[1], inside[0], inside[3], inside[2]), reducing_gap=None)
    canvas = Image.new(part.mode, (width, height))
    canvas.paste(part, (min(columns[0], width - size[0]), min(rows[0], height - size[1])))
    values = torch.from_numpy(np.array(canvas, dtype=np.float32) / 255)
    if grey:
        return values[None]
    values = values.movedim(-1, 0)
    return values.flip(0) if model.channels == "bgr" else values


def normalize(
    pixels: Float[Tensor, "c h w"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Tensor, "c h w"]:
    """Return (pixels - mean) / std per channel."""
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def files_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of the folders in it, sorted; links that lead out of it are left out."""
    root = folder.resolve()
    found = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    return sorted(path for path in found if path.resolve().is_relative_to(root))


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
