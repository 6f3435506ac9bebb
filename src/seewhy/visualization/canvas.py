"""What a picture is made of while it climbs: its pixels, or its frequencies; see `seewhy.visualization.maco` for phases alone."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.errors import ConfigError

COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the covariance of the colours of ImageNet photos (Olah et al. 2017): three independent numbers to red, green and blue."""
USUAL = 0.1
"""Cycles per pixel at which all decays weigh a frequency the same."""


class Canvas(ABC):
    """A way to write a picture down as numbers that may take any value. Subclasses are frozen dataclasses.

    Attributes:
        rate: step length that suits it.
    """

    rate: float = 0.05

    @abstractmethod
    def begin(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Return the numbers of a first picture of shape (c, h, w), drawn at random."""

    @abstractmethod
    def picture(self, numbers: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "c h w"]:
        """Return the picture, with values from 0 to 1."""


@dataclass(frozen=True)
class Pixels(Canvas):
    """The pixels themselves, before a sigmoid. Nothing holds back high frequencies, so it wants total variation, noise or many views.

    Args:
        deviation: of the numbers at the start.
        rate: step length.
    """

    deviation: float = 0.1
    rate: float = 0.05

    def begin(self, shape: tuple[int, ...], generator: Generator) -> Float[Tensor, "c h w"]:
        """Return numbers near zero, which is mid grey."""
        return torch.randn(shape, generator=generator) * self.deviation

    def picture(self, numbers: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "c h w"]:
        """Return the picture."""
        return numbers.sigmoid()


@dataclass(frozen=True)
class Fourier(Canvas):
    """Frequencies, scaled by a power of 1 / f as in photos, in colours that are independent in photos.

    A step of Adam changes all numbers alike, so the scale says how fast a frequency grows: the large shapes come first, and detail follows
    where it pays. Numbers that are all zero are mid grey.

    Args:
        deviation: of the numbers at the start.
        decay: power of 1 / f. Olah et al. have 1; more gives smoother and more colourful pictures, less gives finer grain.
        finest: frequencies above it, in cycles per pixel, fade out, with the fourth power of a Butterworth filter; None keeps all. 0.3
            rules out the grain of two and three pixels that strided layers like, and that is in no photo.
        rate: step length; with 128 steps 0.05 leaves pictures milky, and at 0.1 those of late layers saturate.

    Source: Olah et al. 2017, Feature Visualization, doi 10.23915/distill.00007, section "Preconditioning and Parameterization"; the limit
    `finest` is our own.
    """

    deviation: float = 0.01
    decay: float = 1.25
    finest: float | None = 0.3
    rate: float = 0.07

    def __post_init__(self) -> None:
        if self.finest is not None and self.finest <= 0:
            raise ConfigError(f"the finest frequency is a number of cycles per pixel above 0, got {self.finest}")

    def begin(self, shape: tuple[int, ...], generator: Generator) -> Float[Tensor, "c h half 2"]:
        """Return real and imaginary parts."""
        channels, height, width = shape
        return torch.randn(channels, height, width // 2 + 1, 2, generator=generator) * self.deviation

    def picture(self, numbers: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "c h w"]:
        """Return the picture: scale, back to pixels, colours, sigmoid."""
        size = (shape[1], shape[2])
        scale = _scale(size, self.decay, self.finest, numbers.device)
        planes: Tensor = torch.fft.irfft2(torch.view_as_complex(numbers) * scale, s=size)
        return coloured(planes).sigmoid()


@lru_cache(maxsize=8)
@torch.inference_mode(mode=False)
def _scale(size: tuple[int, int], decay: float, finest: float | None, device: torch.device) -> Float[Tensor, "h half"]:
    """Return what each number of a Fourier canvas is multiplied with; it is made once for a size."""
    frequency = radii(*size)
    scale = (USUAL / frequency.clamp_min(1 / max(size))) ** decay * math.sqrt(size[0] * size[1]) / (4 * USUAL)
    return (scale if finest is None else scale * fading(frequency, finest)).to(device)


def fading(frequency: Float[Tensor, "*any"], finest: float) -> Float[Tensor, "*any"]:
    """Return 1 for low frequencies, 1/2 at `finest`, and next to nothing above."""
    return 1 / (1 + (frequency / finest) ** 8)


def radii(height: int, width: int) -> Float[Tensor, "h half"]:
    """Return the frequency of each number of a real Fourier transform, in cycles per pixel."""
    return torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)
def colour_mix(device: torch.device) -> Float[Tensor, "3 3"]:
    """Return what turns three independent numbers into red, green and blue; its largest column has length 1."""
    mix = torch.tensor(COLOURS)
    lengths: Tensor = mix.norm(dim=0)
    return (mix / lengths.max()).to(device)


def coloured(planes: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Turn three independent planes into red, green and blue; any other number of planes stays as it is."""
    if len(planes) != 3:
        return planes
    return (colour_mix(planes.device) @ planes.flatten(1)).view_as(planes)
