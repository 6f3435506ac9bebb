"""Targets that compare what a layer gives with something known: a direction among its channels, or what it gave on a photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import BoundTarget
from seewhy.core.trace import Reading
from seewhy.core.values import Array, as_value
from seewhy.errors import TargetError
from seewhy.targets.inside import LayerTarget, channels_first, columns_of, place_of

LEAST_COSINE = 0.1
"""Below this, the cosine no longer weighs a dot product less, so that a picture that points elsewhere still has a way to go."""


@dataclass(frozen=True)
class Direction(LayerTarget):
    """How far the activations of a layer reach in one direction of its space of channels: d cos^p, with the dot product d = <a, v / |v|>.

    A single channel is the direction of one axis. The cosine between a and v is taken no smaller than 0.1; a power p above 0 asks for
    activations that point that way and no other, where the dot product alone is also raised by activations that are merely large.

    Args:
        layer: name of the layer.
        vector: one number per channel; its length does not matter.
        power: p of the cosine; 0 leaves it out.
        position: (row, column) on the layer's grid, or "center"; the mean over all positions if None.
        name: what the direction stands for, in words.

    Source: Olah et al. 2018, The Building Blocks of Interpretability, doi 10.23915/distill.00010; Carter et al. 2019, Activation Atlas,
    doi 10.23915/distill.00015 (dot product times a power of the cosine).
    """

    layer: str
    vector: Any
    power: float = 0.0
    position: tuple[int, ...] | Literal["center"] | None = None
    name: str = "a direction"

    def __post_init__(self) -> None:
        vector = as_array(self.vector)
        if len(vector.shape) != 1 or not vector.numpy().any():
            raise TargetError(
                f"a direction is one number per channel, not all of them zero; got an array of shape {vector.shape}"
            )
        object.__setattr__(self, "vector", vector)
        _check_power(self.power)

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Check that the vector has as many numbers as the layer has channels, and that there is such a position."""
        known = channels_first(reading.activation[self.layer])
        if known.shape[1] != self.vector.shape[0]:
            raise TargetError(
                f"layer {self.layer!r} has {known.shape[1]} channels; a direction of {self.vector.shape[0]} numbers does not fit"
            )
        vector = self.vector.tensor().to(known)
        unit = (vector / vector.norm())[:, None]
        place = None if self.position is None else place_of(self.position, tuple(known.shape[2:]), self.layer)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            columns = columns_of(seen.activation[self.layer])
            return aligned(columns if place is None else columns[..., place, None], unit, self.power)

        return BoundTarget(score, (f"{self.name} of {self.layer}",) * len(reading.output), "activation")


@dataclass(frozen=True)
class Likeness(LayerTarget):
    """How strongly a layer repeats, position by position, what it gave on a photo: the mean of d cos^p, with d = <a, f>.

    Raised beyond the photo's own value, it gives a caricature: what the layer sees in the photo, and more of it.

    Args:
        layer: name of the layer.
        features: what it gave on the photo (c, *spatial); the picture must be as large as the photo was.
        power: p of the cosine, no smaller than 0.1, of the two at each position; 0 leaves it out.

    Source: Olah et al. 2018, The Building Blocks of Interpretability, doi 10.23915/distill.00010 (caricatures).
    """

    layer: str
    features: Any
    power: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", as_array(self.features))
        _check_power(self.power)

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Check that the features have the shape of what the layer gives."""
        features = columns_of(_fitting(self.features, reading, self.layer)[None])[0]

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return aligned(columns_of(seen.activation[self.layer]), features, self.power)

        return BoundTarget(score, (f"a caricature at {self.layer}",) * len(reading.output), "activation squared")


@dataclass(frozen=True)
class Distance(LayerTarget):
    """How far a layer is from what it gave on a photo: |a - f|^2 / |f|^2. 0 is the same, 1 is as far as silence.

    `-1 * Distance(...)` makes a picture that the layer can not tell from the photo: its inversion, which shows what the layer has kept.

    Args:
        layer: name of the layer.
        features: what it gave on the photo (c, *spatial); the picture must be as large as the photo was.

    Source: Mahendran and Vedaldi 2015, Understanding Deep Image Representations by Inverting Them, arXiv 1412.0035, section 2.
    """

    layer: str
    features: Any

    def __post_init__(self) -> None:
        features = as_array(self.features)
        if not features.numpy().any():
            raise TargetError(f"layer {self.layer!r} gave nothing but zeros on the photo; there is nothing to match")
        object.__setattr__(self, "features", features)

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Check that the features have the shape of what the layer gives."""
        features = _fitting(self.features, reading, self.layer)
        size = features.square().sum()

        def score(seen: Reading) -> Float[Tensor, " b"]:
            apart = channels_first(seen.activation[self.layer]) - features
            return apart.square().flatten(1).sum(dim=1) / size

        name = f"distance at {self.layer}"
        return BoundTarget(score, (name,) * len(reading.output), "share of the photo's own size")


def aligned(activation: Float[Tensor, "b c n"], wanted: Float[Tensor, "c #n"], power: float) -> Float[Tensor, " b"]:
    """Return the mean over positions of the dot product, times a power of the cosine that is no smaller than 0.1."""
    dot = (activation * wanted).sum(dim=1)
    if not power:
        return dot.mean(dim=1)
    tiny = torch.finfo(dot.dtype).tiny
    cosine = dot / (activation.square().sum(dim=1) * wanted.square().sum(dim=0)).clamp_min(tiny).sqrt()
    return (dot * cosine.clamp_min(LEAST_COSINE) ** power).mean(dim=1)


def as_array(given: Any) -> Array:
    """Return numbers that never change, from a tensor, an array or a list."""
    value = as_value(given)
    return value if isinstance(value, Array) else Array.of(given)


def _fitting(features: Array, reading: Reading, layer: str) -> Float[Tensor, "c *spatial"]:
    """Return the features of a photo as the layer gives them; raise `TargetError` where the shapes differ."""
    known = channels_first(reading.activation[layer])
    if tuple(known.shape[1:]) != features.shape:
        raise TargetError(
            f"layer {layer!r} gives {tuple(known.shape[1:])} here and gave {features.shape} on the photo; "
            "the photo must be prepared at the size of the picture"
        )
    return features.tensor().to(known)


def _check_power(power: float) -> None:
    if not 0 <= power < 100:
        raise TargetError(f"the power of the cosine is a number from 0, such as 2; got {power}")
