"""Pictures with the spectrum of photos: only the phases of their frequencies are free."""

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.errors import ConfigError
from seewhy.visualization.canvas import Canvas, coloured, fading, radii


@dataclass(frozen=True)
class Maco(Canvas):
    """Phases only; how strong each frequency is stays as it is in photos, for each of three independent colours.

    As nothing can grow, such a picture keeps the contrast and the colours of a photo, and shows what is left when a unit has to make do with
    them: whole objects for classes. Where the unit wants nothing, noise with a natural spectrum stays. For channels of early layers, whose
    patterns have one frequency, it misleads: it must put all the others somewhere, too.

    The strengths are a table in this package, `spectrum.json`: the mean magnitude in rings of frequency of 183 photos (58 of ImageNet, 125 of
    COCO), cut square, scaled to 256 pixels, mirrored at the border so that it is no edge, values kept 1 % from black and white, before the
    sigmoid, in the colours of `canvas.COLOURS`. Pictures with other than three channels have the first colour's, which is brightness.

    Args:
        contrast: factor of all strengths; 1 is that of photos. A little less leaves room before the sigmoid saturates.
        finest: as in `Fourier`; most of the noise that has nowhere to go is finer than that.
        deviation: of the phases at the start, in radians.
        rate: step length.

    Source: Fel et al. 2023, Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization, arXiv 2306.06805,
    section 3; there the magnitude is a whole plane per colour, here rings, and numbers that belong to one real wave share their phase, so
    that the magnitude is kept exactly.
    """

    contrast: float = 0.85
    finest: float | None = 0.3
    deviation: float = 1.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.contrast <= 0 or (self.finest is not None and self.finest <= 0):
            raise ConfigError(f"contrast and finest are above 0, got {self.contrast} and {self.finest}")

    def begin(self, shape: tuple[int, ...], generator: Generator) -> Float[Tensor, "c h half"]:
        """Return phases, in radians."""
        channels, height, width = shape
        return torch.randn(channels, height, width // 2 + 1, generator=generator) * self.deviation

    def picture(self, numbers: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "c h w"]:
        """Return the picture: back to pixels, colours, sigmoid."""
        return coloured(self.planes(numbers, shape)).sigmoid()

    def planes(self, numbers: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "c h w"]:
        """Return the planes of independent colours, before the sigmoid; their magnitudes are the same whatever the numbers."""
        channels, height, width = shape
        strength, mean = magnitudes((channels, height, width), self.finest, numbers.device)
        waves = torch.polar(strength * self.contrast, odd(numbers, width))
        planes: Tensor = torch.fft.irfft2(waves, s=(height, width)) + mean
        return planes


def odd(phases: Float[Tensor, "c h half"], width: int) -> Float[Tensor, "c h half"]:
    """Return phases of a real picture: in columns that hold a wave twice, once for either direction, one is the opposite of the other."""
    columns = [0, width // 2] if width % 2 == 0 else [0]
    held = phases[..., columns]
    mirrored = held.flip(1).roll(1, dims=1)
    rest = phases[..., 1 : width // 2] if width % 2 == 0 else phases[..., 1:]
    free = (held - mirrored) / math.sqrt(2)
    return torch.cat([free[..., :1], rest, free[..., 1:]], dim=-1)


@lru_cache(maxsize=8)
@torch.inference_mode(mode=False)
def magnitudes(
    shape: tuple[int, int, int], finest: float | None, device: torch.device
) -> tuple[Float[Tensor, "c h half"], Float[Tensor, "c 1 1"]]:
    """Return the magnitude of each wave of a picture of a shape, and the mean of each plane; made once for a shape.

    A picture of any size shows the same scene: a wave is known by its number of cycles along the shorter side. Beyond the table its last
    slope goes on.
    """
    channels, height, width = shape
    side, frequency = min(height, width), radii(height, width)
    cycles, strengths, means = spectrum()
    columns = range(3) if channels == 3 else [0] * channels
    logs = [_along(np.log(frequency.clamp_min(1 / side).numpy() * side), cycles, strengths[:, c]) for c in columns]
    strength = torch.tensor(np.exp(np.stack(logs)), dtype=torch.float32) * side * math.sqrt(height * width)
    strength[:, 0, 0] = 0
    mean = torch.tensor(means if channels == 3 else [0.0] * channels, dtype=torch.float32)[:, None, None]
    faded = strength if finest is None else strength * fading(frequency, finest)
    return faded.to(device), mean.to(device)


def _along(places: np.ndarray, cycles: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Interpolate in logarithms, and go on with the slope of the last five rings."""
    x, y = np.log(cycles), np.log(strengths)
    slope = (y[-1] - y[-6]) / (x[-1] - x[-6])
    found: np.ndarray = np.interp(places, x, y) + slope * np.maximum(0, places - x[-1])
    return found


@lru_cache(maxsize=1)
def spectrum() -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return the table: cycles per side (n,), strengths (n, 3) as shares of the number of pixels, and the mean of each colour."""
    table = json.loads(files("seewhy.visualization").joinpath("spectrum.json").read_text("utf-8"))
    return np.array(table["cycles"]), np.array(table["strengths"]), table["means"]
