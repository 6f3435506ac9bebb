"""How a picture becomes a network's input: which window of it, at which size, in which units."""

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.core.clip import Clip
from seewhy.core.sample import Geometry, Sample
from seewhy.engine.model import Fit, Model
from seewhy.errors import ConfigError, DataError, ModelError

RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


def centred(source: tuple[int, int], size: tuple[int, int], crop: float) -> Geometry:
    """Return the window of a source (h, w) that is cut out of its centre before it is resized: `crop` of the largest in proportion."""
    scale = crop * min(source[0] / size[0], source[1] / size[1])  # source pixels per input pixel
    height, width = scale * size[0], scale * size[1]
    top, left = (source[0] - height) / 2, (source[1] - width) / 2
    return Geometry(source, (top, left, top + height, left + width), size)


def fitted(source: tuple[int, int], size: tuple[int, int], fit: Fit, crop: float = 1.0) -> Geometry:
    """Return which window of a source (h, w) becomes an input of `size` (h, w).

    The window is the one that follows from resizing to a whole number of pixels and cutting the centre out, as networks are trained:
    for size 224 and crop 0.875 the shorter side is resized to 256, the longer one to 256 * longer / shorter, rounded down.

    Args:
        fit: "crop" keeps the proportions and cuts the centre out, "squash" changes the proportions, "pad" shows the whole picture
            with margins.
        crop: for "crop" and "squash": the share of the resized picture's shorter side that is kept.
    """
    height, width = source
    if fit == "pad":
        resized = _inside(source, size)
    else:
        resized = (max(size[0], round(size[0] / crop)), max(size[1], round(size[1] / crop)))
        resized = resized if fit == "squash" else _around(source, resized)
    rows, columns = (_middle(cells, wanted) for cells, wanted in zip(resized, size, strict=True))
    down, across = height / resized[0], width / resized[1]  # source pixels per input pixel
    window = (rows * down, columns * across, (rows + size[0]) * down, (columns + size[1]) * across)
    return Geometry(source, window, size)


def _middle(cells: int, wanted: int) -> int:
    """Return where the middle `wanted` of so many cells begin; negative where there are fewer than wanted."""
    return (cells - wanted) // 2 if cells >= wanted else -((wanted - cells) // 2)


def _around(source: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest resized picture in the source's proportions that covers `size`."""
    height, width = source
    if size[0] * width >= size[1] * height:
        return size[0], max(size[1], int(size[0] * width / height))
    return max(size[0], int(size[1] * height / width)), size[1]


def _inside(source: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return the largest resized picture in the source's proportions that lies within `size`."""
    height, width = source
    if size[0] * width <= size[1] * height:
        return size[0], min(size[1], max(1, round(size[0] * width / height)))
    return min(size[0], max(1, round(size[1] * height / width))), size[1]


def prepare(picture: Image.Image, name: str, model: Model, fit: Fit | None = None) -> Sample:
    """Return the sample of an upright picture.

    Raises:
        DataError: the picture has no pixels.
        ModelError: the model does not state its preprocessing.
    """
    size, mean, std = _stated(model)
    if model.for_clips:
        raise ModelError(
            f"{model.title} takes clips of {model.frames} frames, and {name} is a picture; give a video, or a folder of frames"
        )
    if model.for_volumes:
        raise ModelError(f"{model.title} takes volumes {model.depth} voxels deep, and {name} is a picture; give a scan")
    geometry = window_of(picture, size, model, fit)
    return Sample(normalize(resample(picture, geometry, model), mean, std), picture, geometry, name)


def prepare_clip(clip: Clip, name: str, model: Model, fit: Fit | None = None) -> Sample:
    """Return the sample of a clip that has as many frames as the model takes.

    Raises:
        DataError: another number of frames.
        ModelError: the model does not state its preprocessing, or takes pictures.
    """
    size, mean, std = _stated(model)
    if not model.for_clips:
        raise ModelError(
            f"{model.title} takes pictures, and {name} is a clip; if it is a network for clips, say how many frames it takes: "
            "seewhy.Model(..., frames=16, layout='bcthw' or 'btchw')"
        )
    if len(clip) != model.frames:
        raise DataError(f"{name}: {model.title} takes clips of {model.frames} frames, got {len(clip)}")
    geometry = window_of(clip.picture(0), size, model, fit)
    frames = [resample(clip.picture(number), geometry, model) for number in range(len(clip))]
    inputs = normalize(torch.stack(frames), mean, std).transpose(0, 1)
    return Sample(inputs, None, geometry, name, clip, notes=clip.notes)


def _stated(model: Model) -> tuple[tuple[int, int], tuple[float, ...], tuple[float, ...]]:
    """Return size, mean and std that the model states; raise `ModelError` where they are not those of a picture's channels."""
    size, mean, std = model.needs_preprocessing()
    channels = 1 if model.channels == "grey" else 3
    if len(mean) not in (1, channels) or len(std) not in (1, channels):
        raise ModelError(
            f"{model.title} states mean and std of {max(len(mean), len(std))} channels, and a picture gives {channels}; "
            "make the input yourself: seewhy.Session(model).explain(tensor of shape (b, c, h, w), normalized)"
        )
    return size, mean, std


def window_of(picture: Image.Image, size: tuple[int, int], model: Model, fit: Fit | None = None) -> Geometry:
    """Return which window of a picture the model sees."""
    if fit not in (None, "crop", "pad", "squash"):
        raise ConfigError(f"fit is 'crop', 'pad' or 'squash', got {fit!r}")
    if not picture.width or not picture.height:
        raise DataError(f"the picture is {picture.width} x {picture.height}: it has no pixels")
    source, fit = (picture.height, picture.width), fit or model.fit
    if fit == "crop" and model.crop_first:
        return centred(source, size, model.crop)
    return fitted(source, size, fit, model.crop)


def resample(picture: Image.Image, geometry: Geometry, model: Model) -> Float[Tensor, "c h w"]:
    """Return the pixels (0 to 1) of the window at the input's size, in the model's order of channels; margins are black."""
    grey = model.channels == "grey"
    picture = picture.convert("L" if grey else "RGB")
    (height, width), (top, left, bottom, right) = geometry.size, geometry.window
    inside = (max(top, 0.0), max(left, 0.0), min(bottom, float(picture.height)), min(right, float(picture.width)))
    rows = (round((inside[0] - top) / (bottom - top) * height), round((inside[2] - top) / (bottom - top) * height))
    columns = (round((inside[1] - left) / (right - left) * width), round((inside[3] - left) / (right - left) * width))
    size = (max(1, columns[1] - columns[0]), max(1, rows[1] - rows[0]))
    part = picture.resize(size, RESAMPLING[model.interpolation], box=(inside[1], inside[0], inside[3], inside[2]))
    canvas = Image.new(part.mode, (width, height))
    canvas.paste(part, (min(columns[0], width - size[0]), min(rows[0], height - size[1])))
    values = torch.from_numpy(np.array(canvas, dtype=np.float32) / 255)
    if grey:
        return values[None]
    values = values.movedim(-1, 0)
    return values.flip(0) if model.channels == "bgr" else values


def normalize(
    pixels: Float[Tensor, "*b c h w"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Tensor, "*b c h w"]:
    """Return (pixels - mean) / std per channel."""
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
