"""How a picture is shown while it climbs: moved a little differently at each step, so that no single pixel matters."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.errors import ConfigError

Padding = Literal["mirror", "edge", "grey"]
_MODES = {"mirror": "reflection", "edge": "border", "grey": "zeros"}


@dataclass(frozen=True)
class Views:
    """Random movements: every view is a part of the picture, turned, scaled and shifted, in one resampling.

    Args:
        count: how many views of the picture the network is shown at each step.
        turn: at most so many degrees to either side.
        scale: between 1 - scale and 1 + scale.
        shift: at most so many pixels of the picture.
        crop: a view shows at least and at most this share of the picture's side, from anywhere in it; (1, 1) is all of it.
        noise: standard deviation of what is added to each pixel.
        padding: what lies beyond the border: its mirror image, its last pixel again, or mid grey.

    Source: Olah et al. 2017, Feature Visualization, doi 10.23915/distill.00007, section "Transformation robustness"; crops and noise as in Fel
    et al. 2023, arXiv 2306.06805, section 3.
    """

    count: int = 2
    turn: float = 10.0
    scale: float = 0.1
    shift: float = 12.0
    crop: tuple[float, float] = (1.0, 1.0)
    noise: float = 0.0
    padding: Padding = "mirror"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"at least one view is shown at each step, got count={self.count}")
        if not 0 < self.crop[0] <= self.crop[1] <= 1 or not 0 <= self.scale < 1:
            raise ConfigError(
                f"a crop is two shares between 0 and 1, the smaller first, and scale is between 0 and 1; got {self.crop} and {self.scale}"
            )
        if self.padding not in get_args(Padding):
            raise ConfigError(f"padding is one of {', '.join(get_args(Padding))}, got {self.padding!r}")

    def of(
        self, picture: Float[Tensor, "c h w"], generator: Generator, size: tuple[int, int] | None = None
    ) -> Float[Tensor, "n c height width"]:
        """Return views of a picture, each of a size; that of the picture if None."""
        height, width = size or (picture.shape[1], picture.shape[2])
        grid = self.grid(picture.shape[1:], (height, width), generator).to(picture)
        grey = 0.5 if self.padding == "grey" else 0.0
        shown = (picture - grey if grey else picture).expand(self.count, *picture.shape)
        views = F.grid_sample(shown, grid, padding_mode=_MODES[self.padding], align_corners=False)
        if grey:
            views = views + grey
        if self.noise:
            views = views + (torch.randn(views.shape, generator=generator) * self.noise).to(views)
        return views

    def grid(
        self, picture: tuple[int, ...], size: tuple[int, int], generator: Generator
    ) -> Float[Tensor, "n height width 2"]:
        """Return where each pixel of each view lies in a picture of a size: across and down, from -1 to 1."""
        height, width = picture
        angle, scale, share, across, down = torch.rand(5, self.count, generator=generator) * 2 - 1
        angle = angle * (self.turn * math.pi / 180)
        least, most = self.crop
        share = least + (share + 1) / 2 * (most - least)
        span, room = share / (1 + self.scale * scale), 1 - share
        across, down = across * (room + 2 * self.shift / width), down * (room + 2 * self.shift / height)
        cosine, sine = span * angle.cos(), span * angle.sin()
        x, y = _centres(size[1]), _centres(size[0])
        right = (cosine[:, None] * x)[:, None] + (across[:, None] - (sine * height / width)[:, None] * y)[:, :, None]
        below = ((sine * width / height)[:, None] * x)[:, None] + (down[:, None] + cosine[:, None] * y)[:, :, None]
        return torch.stack([right, below], dim=-1)


@lru_cache(maxsize=8)
@torch.inference_mode(mode=False)
def _centres(pixels: int) -> Float[Tensor, " pixels"]:
    """Return the centres of a row of pixels, from -1 to 1; made once."""
    return (torch.arange(pixels) * 2 + 1 - pixels) / pixels
