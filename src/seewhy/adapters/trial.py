"""Find out by trial how another library prepares pictures: show its transform test pictures and read off what it does.

Settings files of other libraries say the same in many dialects (size dictionaries, crop shares, offsets, flags that only count above
some size). So they are not read. The transform itself is shown flat colours, which give mean, deviation and order of channels; ramps,
which give the window; and a picture full of detail, on which every way of resampling is tried. What is found must then reproduce
the transform's own output, or `ModelError` is raised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.engine.model import Channels, Fit, Interpolation, Model
from seewhy.engine.preprocessing import prepare
from seewhy.errors import ModelError

Transform = Callable[[Image.Image], Float[Tensor, "c h w"]]

WIDE, TALL = (416, 640), (608, 400)
"""Test pictures (h, w): one lies, one stands."""

TOLERANCE = 1.0 / 255
"""Largest mean difference of pixel values, from 0 to 1, between our input and the transform's own."""

EQUAL = 0.02 / 255
"""Mean difference that only rounding can leave; no further way is tried."""


@dataclass(frozen=True)
class Preprocessing:
    """How a transform prepares pictures; the fields are those of `Model`."""

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Channels
    fit: Fit
    crop: float
    interpolation: Interpolation

    def model(self, module: torch.nn.Module, **more: object) -> Model:
        """Return a model that is prepared in this way."""
        return Model(module, **vars(self), **more)  # type: ignore[arg-type]


def by_trial(transform: Transform, name: str) -> Preprocessing:
    """Return how a transform prepares pictures.

    Args:
        transform: takes an upright RGB picture of any size and returns the network's input (c, h, w).
        name: of the network, for the message.

    Raises:
        ModelError: it fails on a picture, or does something that `Model` cannot state, such as another size for each picture.
    """
    shown = _Shown(transform, name)
    size = shown.size()
    mean, std = shown.units()
    channels = shown.order(mean, std)
    best: tuple[float, Preprocessing] | None = None
    for fit, crop in shown.windows(size, mean, std):
        for interpolation in get_args(Interpolation):
            tried = Preprocessing(size, mean, std, channels, fit, crop, interpolation)
            distance = max(shown.distance(tried, picture) for picture in (_detail(WIDE), _detail(TALL)))
            if distance < EQUAL:
                return tried
            if best is None or distance < best[0]:
                best = (distance, tried)
    if best is None or best[0] > TOLERANCE:
        found = (
            "it does not show one window of the picture" if best is None else f"{best[0] * 255:.1f} of 255 levels off"
        )
        raise ModelError(
            f"{name}: its preprocessing does something that seewhy cannot reproduce ({found}); "
            "prepare the input yourself: seewhy.Session(seewhy.Model(network, labels=...)).explain(tensor)"
        )
    return best[1]


class _Shown:
    """A transform that is shown test pictures."""

    def __init__(self, transform: Transform, name: str) -> None:
        self._transform, self._name = transform, name

    def __call__(self, picture: Image.Image) -> Float[Tensor, "c h w"]:
        try:
            made = self._transform(picture).detach().float()
        except Exception as error:  # the library's own code, on settings that may be anything
            raise ModelError(
                f"{self._name}: its preprocessing fails on a picture of {picture.width} x {picture.height}: {type(error).__name__}: {error}"
            ) from error
        if made.dim() != 3 or len(made) not in (1, 3) or not torch.isfinite(made).all():
            raise ModelError(
                f"{self._name}: its preprocessing gives a tensor {tuple(made.shape)}; one of shape (3, h, w) or (1, h, w) was expected"
            )
        return made

    def size(self) -> tuple[int, int]:
        """Return the size (h, w) of the input; it must be one for all pictures."""
        sizes = {tuple(self(Image.new("RGB", shape[::-1], "white")).shape[1:]) for shape in (WIDE, TALL)}
        if len(sizes) > 1:
            raise ModelError(
                f"{self._name}: its preprocessing gives inputs of different sizes ({', '.join(map(str, sorted(sizes)))}); "
                "state one: seewhy.Model(network, size=..., mean=..., std=...)"
            )
        (height, width) = sizes.pop()
        return height, width

    def _flat(self, color: str | tuple[int, int, int]) -> Float[Tensor, " c"]:
        """Return what the middle of a picture of one colour becomes."""
        made = self(Image.new("RGB", WIDE[::-1], color))
        return made[:, made.shape[1] // 2, made.shape[2] // 2].double()

    def units(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and deviation per channel: black becomes -mean / std, white (1 - mean) / std."""
        black, white = self._flat("black"), self._flat("white")
        if ((white - black).abs() < 1e-9).any():
            raise ModelError(f"{self._name}: its preprocessing gives black and white pictures the same values")
        std = 1 / (white - black)
        middle = self._flat((51, 51, 51))
        if not torch.allclose(middle, black + 0.2 * (white - black), atol=1e-4 * float((white - black).abs().max())):
            raise ModelError(f"{self._name}: its preprocessing is not a mean and a deviation per channel")
        if (std < 0).any():
            raise ModelError(f"{self._name}: its preprocessing turns dark into bright, which seewhy cannot state")
        return _rounded(-black * std), _rounded(std)

    def order(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Channels:
        """Return the order of channels, from what pure red becomes."""
        if len(mean) == 1:
            return "grey"
        red = self._flat((255, 0, 0)) * torch.tensor(std) + torch.tensor(mean)
        found = red.round().tolist()
        if found not in ([1, 0, 0], [0, 0, 1]) or (red - red.round()).abs().max() > 1e-3:
            raise ModelError(f"{self._name}: its preprocessing mixes the colour channels, which seewhy cannot state")
        return "rgb" if found[0] == 1 else "bgr"

    def windows(
        self, size: tuple[int, int], mean: tuple[float, ...], std: tuple[float, ...]
    ) -> list[tuple[Fit, float]]:
        """Return the ways of fitting that may be meant: fit, and share of the resized side that is kept."""
        white = self.pixels(Image.new("RGB", WIDE[::-1], "white"), mean, std)
        if (white - 1).abs().max() > 1e-3:
            return [("pad", 1.0)]
        found = [[shape[axis] / self._scale(shape, axis, mean, std) for axis in (0, 1)] for shape in (WIDE, TALL)]
        squashed = max(abs(a - b) / a for a, b in zip(*found, strict=True)) < 0.02
        share = max(size[axis] / found[0][axis] for axis in (0, 1))
        whole = round(size[0] / share)
        crops = [min(1.0, size[0] / side) for side in (whole, whole - 1, whole + 1) if side >= size[0]]
        return [("squash" if squashed else "crop", crop) for crop in crops]

    def _scale(self, shape: tuple[int, int], axis: int, mean: tuple[float, ...], std: tuple[float, ...]) -> float:
        """Return how many source pixels one pixel of the input takes along an axis, from the slope of a ramp."""
        line = np.linspace(0, 255, shape[axis])
        ramp = np.broadcast_to(line[:, None] if axis == 0 else line[None, :], shape)
        seen = self.pixels(Image.fromarray(ramp.round().astype(np.uint8)).convert("RGB"), mean, std)
        values = seen.mean(dim=(0, 2 - axis)).double()
        inner = values[len(values) // 10 : len(values) - len(values) // 10]
        place = torch.arange(len(inner), dtype=torch.float64)
        place -= place.mean()
        return max(float((place * inner).sum() / place.square().sum()) * (shape[axis] - 1), 1e-3)

    def pixels(self, picture: Image.Image, mean: tuple[float, ...], std: tuple[float, ...]) -> Float[Tensor, "c h w"]:
        """Return the transform's input in pixel values from 0 to 1."""
        return self(picture) * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]

    def distance(self, tried: Preprocessing, picture: Image.Image) -> float:
        """Return the mean difference of pixel values between our input and the transform's, at the best shift by at most one pixel."""
        theirs = self.pixels(picture, tried.mean, tried.std)
        ours = prepare(picture, "", tried.model(torch.nn.Identity())).inputs
        ours = ours * torch.tensor(tried.std)[:, None, None] + torch.tensor(tried.mean)[:, None, None]
        inner = ours[:, 1:-1, 1:-1]
        height, width = inner.shape[1:]
        shifted = (theirs[:, y : y + height, x : x + width] for y in range(3) for x in range(3))
        return min(float((inner - shift).abs().mean()) for shift in shifted)


def _rounded(values: Tensor) -> tuple[float, ...]:
    """Return values as the settings had them, without the last digits that float32 arithmetic blurs."""
    return tuple(float(f"{value:.6g}") + 0.0 if abs(value) > 1e-7 else 0.0 for value in values.tolist())


def _detail(shape: tuple[int, int]) -> Image.Image:
    """Return a picture with detail of every size: coloured waves that grow finer, and edges."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / max(shape)
    waves = [np.sin(40 * x * (1 + 2 * y)), np.cos(35 * y * (1 + 3 * x)), np.sin(60 * (x + y) ** 2)]
    edges = ((x * 9).astype(int) + (y * 11).astype(int)) % 2 * 0.5
    pixels = np.stack([0.25 + 0.2 * wave + edges for wave in waves], axis=-1)
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
