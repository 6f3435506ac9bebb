"""How a scan becomes a network's input: turned, cut or stretched, and in which units."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.core.volume import Box, Placement, Volume, Window
from seewhy.engine.model import Fit, Model
from seewhy.engine.preprocessing import prepare
from seewhy.errors import ConfigError, DataError, ModelError


def prepare_volume(volume: Volume, model: Model, fit: Fit | None = None, notes: tuple[str, ...] = ()) -> Sample:
    """Return the sample of a volume, for a network for volumes.

    Raises:
        ConfigError: a way to fit was asked for; volumes are fitted by the model's `spacing`.
        DataError: the scan has no spacing, and the model states one.
        ModelError: the model does not state its preprocessing, or takes no volumes.
    """
    (height, width), mean, std = model.needs_preprocessing()
    if model.depth is None:
        raise ModelError(
            f"{model.title} takes no volumes, and {volume.name} is one; for a network for volumes state seewhy.Model(..., depth=32), "
            "or explain its slices: --slice all"
        )
    if (len(mean), len(std)) != (1, 1):
        raise ModelError(f"{model.title} states mean and std of several channels, and a scan gives one")
    if fit is not None:
        raise ConfigError(
            "a scan is not fitted as pictures are; state seewhy.Model(..., spacing=(d, h, w) in millimetres), or leave out --fit"
        )
    turn = volume.turn(model.orientation)
    size = (model.depth, height, width)
    placement = Placement(volume.shape, turn, _window(volume, model, size), size)
    seen = placement.taken(volume.values, nearest=model.interpolation == "nearest")
    inputs = ((_scaled(seen, volume, model) - mean[0]) / std[0])[None]
    return Sample(inputs, None, None, volume.name, volume=volume, placement=placement, notes=notes + remarks(volume))


def prepare_slice(
    volume: Volume, index: int, model: Model, fit: Fit | None = None, notes: tuple[str, ...] = ()
) -> Sample:
    """Return the sample of one slice along a volume's first axis, for a network for pictures, which sees it as it is shown.

    It is shown in the model's window where that is stated as (center, width), or else in the scan's own.

    Raises:
        DataError: no such slice.
        ModelError: the model does not state its preprocessing, or takes another kind of input.
    """
    if not 0 <= index < len(volume.values):
        raise DataError(f"{volume.name} has slices 0 to {len(volume.values) - 1}, no slice {index}")
    step = np.eye(4)
    step[0, 3] = index
    window = Window.between(*_ends(model.window)) if isinstance(model.window, tuple) else volume.shown
    alone = replace(volume, values=volume.values[index : index + 1], affine=volume.affine @ step, window=window)
    sample = prepare(alone.picture(0), volume.name, model, fit)
    return replace(sample, volume=alone, notes=notes)


def remarks(volume: Volume) -> tuple[str, ...]:
    """Return what a reader must know about where a volume's voxels lie."""
    found = []
    if not volume.oriented:
        found.append(
            "The file does not say how the scan lies in the patient: sides are not named, and the network saw it as it is stored."
        )
    if not volume.measured:
        found.append("The file does not say how large the voxels are: sizes are in voxels, not in millimetres.")
    if volume.oriented and volume.tilt > 15:
        found.append(
            f"The scan is tilted by {volume.tilt:.0f} degrees: its sides are named after the nearest side of the patient."
        )
    return tuple(found)


def _window(volume: Volume, model: Model, size: tuple[int, int, int]) -> Box:
    """Return where the input begins and ends in the turned volume: all of it, or so much as the model's spacing takes."""
    turned = volume.turned(model.orientation)
    if model.spacing is None:
        depth, height, width = (float(cells) for cells in turned.shape)
        return (0.0, depth), (0.0, height), (0.0, width)
    if not volume.measured:
        raise DataError(
            f"{volume.name} does not say how large its voxels are, and {model.title} wants {model.spacing} mm; give a file with its spacing"
        )
    first, second, third = (
        ((cells - wanted * step / own) / 2, (cells + wanted * step / own) / 2)
        for cells, own, wanted, step in zip(turned.shape, turned.spacing, size, model.spacing, strict=True)
    )
    return first, second, third


def _scaled(seen: Float[Tensor, "d h w"], volume: Volume, model: Model) -> Float[Tensor, "d h w"]:
    """Return what the network sees in the values that its mean and std are stated for."""
    if model.window is None:
        return seen
    if model.window == "standard":
        mean, deviation = float(volume.values.mean(dtype=np.float64)), float(volume.values.std(dtype=np.float64))
        return (seen - mean) / max(deviation, 1e-12)
    low, high = _ends(model.window) if isinstance(model.window, tuple) else _percentiles(volume)
    return ((seen - low) / max(high - low, 1e-12)).clamp(0, 1)


def _ends(window: tuple[float, float]) -> tuple[float, float]:
    center, width = window
    return center - width / 2, center + width / 2


def _percentiles(volume: Volume) -> tuple[float, float]:
    low, high = torch.tensor(np.percentile(volume.values, (0.5, 99.5))).tolist()
    return low, high
