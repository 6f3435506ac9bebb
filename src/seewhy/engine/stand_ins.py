"""Pictures that stand for "nothing": what a method compares a picture with."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.core.values import Array
from seewhy.engine.model import Model, per_channel
from seewhy.errors import ConfigError, ShapeError
from seewhy.ops.filters import gaussian_blur
from seewhy.ops.scales import scales

StandIn = Literal["black", "white", "zero", "mean", "blur", "noise"]


def stand_in(
    kind: str | Array, images: Float[Tensor, "b c *spatial"], model: Model, generator: Generator
) -> Float[Tensor, "b c *spatial"]:
    """Return images of one kind, in the network's own units.

    Args:
        kind: "black" and "white" are those colours, "zero" is 0 in the network's units, "mean" is each image's own mean
            colour, "blur" a Gaussian blur with a deviation of a tenth of the shorter side (and of the frames, or slices), "noise" is drawn uniformly between
            each image's own least and greatest value, the same pattern for every image; an array (c, *spatial) is an image of its own.
        images: the images that they stand for.
        model: says what black and white are.
        generator: source of the noise.

    Raises:
        ConfigError: an unknown kind, or a colour that the model does not state.
    """
    spatial = tuple(range(2, images.dim()))
    if isinstance(kind, Array):
        return _given(kind, images)
    if kind in ("black", "white"):
        if model.mean is None or model.std is None:
            raise ConfigError(
                f"what {kind} is in this network's units is not known: state mean and std in seewhy.Model, or use 'zero', 'mean' or 'blur'"
            )
        mean, std = (torch.tensor(per_channel(value)).to(images) for value in (model.mean, model.std))
        colour = (float(kind == "white") - mean) / std
        return colour.view(1, -1, *[1] * len(spatial)).expand_as(images).contiguous()
    if kind == "zero":
        return torch.zeros_like(images)
    if kind == "mean":
        return images.mean(dim=spatial, keepdim=True).expand_as(images).contiguous()
    if kind == "blur":
        return gaussian_blur(images, [length / 10 for length in scales(tuple(images.shape[2:]))])
    if kind == "noise":
        low, high = images.amin(dim=(1, *spatial), keepdim=True), images.amax(dim=(1, *spatial), keepdim=True)
        drawn = torch.rand(1, *images.shape[1:], generator=generator).to(images)
        return low + drawn * (high - low)
    raise ConfigError(f"{kind!r} does not stand for nothing; choose one of {', '.join(get_args(StandIn))}")


def _given(image: Array, images: Float[Tensor, "b c *spatial"]) -> Float[Tensor, "b c *spatial"]:
    """Return an image that the user gave, in the network's own units, once for each image."""
    if image.shape != tuple(images.shape[1:]):
        raise ShapeError(
            f"an image to fill with must have the shape of the network's input, {tuple(images.shape[1:])}, and be normalized as it is; "
            f"got {image.shape}"
        )
    return image.tensor().to(images).expand_as(images).contiguous()
