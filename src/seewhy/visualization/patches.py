"""From a position on a layer's grid to the part of a photo that a unit there sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image

from seewhy.core.sample import Geometry, Sample
from seewhy.data.dataset import content_digest
from seewhy.data.picture import read
from seewhy.engine.model import Fit, Model, per_channel
from seewhy.engine.preprocessing import centred, fitted
from seewhy.errors import DataError


@dataclass(frozen=True)
class View:
    """How a picture becomes the network's input; enough to find a place of the input in the picture again.

    Attributes:
        size: (h, w) of the input, more axes for clips and volumes.
        fit, crop, crop_first: as in `Model`.
        mean, std: as in `Model`; () where they are not stated.
        channels: order of the channels, as in `Model`.
    """

    size: tuple[int, ...]
    fit: Fit = "crop"
    crop: float = 1.0
    crop_first: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    channels: str = "rgb"

    @classmethod
    def of(cls, model: Model, size: tuple[int, ...], fit: Fit | None = None) -> "View":
        """Return the view that a model states, for inputs of this size."""
        known = model.mean is not None and model.std is not None
        mean, std = (per_channel(model.mean or 0.0), per_channel(model.std or 1.0)) if known else ((), ())
        return cls(size, fit or model.fit, model.crop, model.crop_first, mean, std, model.channels)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "View":
        """Read back what `dataclasses.asdict` gave and JSON carried; raise `DataError` where it is no such thing."""
        try:
            size, mean, std = (tuple(plain[name]) for name in ("size", "mean", "std"))
            if plain["fit"] not in get_args(Fit):
                raise ValueError(f"fit {plain['fit']!r}")
            fit, crop = plain["fit"], float(plain["crop"])
            return cls(size, fit, crop, bool(plain["crop_first"]), mean, std, str(plain["channels"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"no view of pictures: {error}") from error

    def geometry(self, source: tuple[int, int]) -> Geometry:
        """Return which window of a source (h, w) the input shows."""
        height, width = self.size[-2:]
        if self.fit == "crop" and self.crop_first:
            return centred(source, (height, width), self.crop)
        return fitted(source, (height, width), self.fit, self.crop)


@dataclass(frozen=True)
class Field:
    """What moves a unit, as a square of the network's input.

    Attributes:
        reach: half its side, in pixels.
        shift: how far its centre lies below, and to the right of, the centre of the unit's cell, in pixels.
    """

    reach: float
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Patch:
    """A rectangle of the network's input, in pixels, edges not centres: (top, left, bottom, right)."""

    top: float
    left: float
    bottom: float
    right: float

    @classmethod
    def around(
        cls, position: tuple[int, ...] | None, grid: tuple[int, ...], field: Field | None, size: tuple[int, ...]
    ) -> "Patch":
        """Return what a unit at a position of the grid sees, cut at the border; the whole input where it has no field."""
        height, width = size[-2:]
        if position is None or field is None:
            return cls(0.0, 0.0, float(height), float(width))
        down, across = (
            min(max((cell + 0.5) * pixels / cells + shift, 0.0), float(pixels))
            for cell, cells, pixels, shift in zip(position[-2:], grid[-2:], (height, width), field.shift, strict=True)
        )
        return cls(
            max(0.0, down - field.reach),
            max(0.0, across - field.reach),
            min(float(height), down + field.reach),
            min(float(width), across + field.reach),
        )

    def in_source(self, geometry: Geometry) -> tuple[int, int, int, int]:
        """Return the pixels (left, top, right, bottom) of the source that the rectangle covers, at least one."""
        top, left, bottom, right = geometry.window
        down, across = (bottom - top) / geometry.size[0], (right - left) / geometry.size[1]
        rows = (top + self.top * down, top + self.bottom * down)
        columns = (left + self.left * across, left + self.right * across)
        first_row, last_row = _whole(*rows, geometry.source[0])
        first_column, last_column = _whole(*columns, geometry.source[1])
        return first_column, first_row, last_column, last_row


def _whole(begin: float, end: float, length: int) -> tuple[int, int]:
    """Return whole pixels of an axis, inside of it, at least one."""
    first = min(max(0, round(begin)), length - 1)
    return first, min(max(first + 1, round(end)), length)


def unchanged_picture(path: Path, digest: str) -> Image.Image:
    """Read a picture; raise `DataError` where its content is no longer what it was."""
    picture, name = read(path)
    if digest and content_digest(path.read_bytes()).hex() != digest:
        raise DataError(f"{name} has changed since it was searched; search again")
    return picture


def ready_picture(sample: Sample, view: View) -> Image.Image:
    """Return a picture of an input: in its own colours where mean and std are known, else grey, from its least value to its largest."""
    if sample.picture is not None:
        return sample.picture
    values = sample.inputs.detach().float().cpu().numpy()
    if values.ndim == 3 and len(values) in (1, 3) and view.mean and view.std:
        shown = values * np.reshape(view.std, (-1, 1, 1)) + np.reshape(view.mean, (-1, 1, 1))
        shown = (shown[::-1] if view.channels == "bgr" else shown).clip(0, 1) * 255
    else:
        grey = values.reshape(-1, *values.shape[-2:]).mean(axis=0, keepdims=True)
        low, high = grey.min(), grey.max()
        shown = (grey - low) / max(float(high - low), 1e-12) * 255
    pixels = np.moveaxis(shown.round().astype(np.uint8), 0, -1)
    return Image.fromarray(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels)
