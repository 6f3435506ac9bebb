"""What a picture is made of while it climbs: its pixels, its frequencies, or only their phases."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the covariance of the colours of ImageNet photos (Olah et al. 2017): three independent numbers to red, green and blue."""


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
class Fourier(Canvas):
    """Frequencies, scaled by 1 / f as in photos, in colours that are independent in photos.

    Args:
        deviation: of the numbers at the start.
        decay: power of 1 / f.

    Source: Olah et al. 2017, Feature Visualization, doi 10.23915/distill.00007, section "Preconditioning and Parameterization".
    """

    deviation: float = 0.01
    decay: float = 1.0

    def begin(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Return real and imaginary parts (c, h, w / 2 + 1, 2)."""
        channels, height, width = shape
        return torch.randn(channels, height, width // 2 + 1, 2, generator=generator) * self.deviation

    def picture(self, numbers: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "c h w"]:
        """Return the picture: scale, back to pixels, colours, sigmoid."""
        height, width = shape[1:]
        frequency = radii(height, width).to(numbers)
        scale = math.sqrt(height * width) / frequency.clamp_min(1 / max(height, width)) ** self.decay
        planes: Tensor = torch.fft.irfft2(torch.view_as_complex(numbers) * scale, s=(height, width)) / 4
        shown: Tensor = coloured(planes).sigmoid()
        return shown


def radii(height: int, width: int) -> Float[Tensor, "h half"]:
    """Return the frequency of each number of a real Fourier transform, in cycles per pixel."""
    return torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])


def coloured(planes: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Turn three independent planes into red, green and blue; any other number of planes stays as it is."""
    if len(planes) != 3:
        return planes
    mix = torch.tensor(COLOURS).to(planes)
    return torch.einsum("chw,dc->dhw", planes, mix / mix.norm(dim=0).max())
