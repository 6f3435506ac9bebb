"""How a picture is shown while it climbs: moved a little differently at each step, so that no single pixel matters."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor


@dataclass(frozen=True)
class Views:
    """Small random movements.

    Args:
        count: how many views of the picture the network is shown at each step.
        turn: at most so many degrees.
        scale: between 1 - scale and 1 + scale.
        shift: at most so many pixels.

    Source: Olah et al. 2017, Feature Visualization, doi 10.23915/distill.00007, section "Transformation robustness".
    """

    count: int = 1
    turn: float = 10.0
    scale: float = 0.1
    shift: float = 12.0

    def of(self, picture: Float[Tensor, "c h w"], generator: Generator) -> Float[Tensor, "n c h w"]:
        """Return views of a picture; what lies beyond its border is its mirror image."""
        height, width = picture.shape[1:]
        drawn = torch.rand(4, self.count, generator=generator).to(picture) * 2 - 1
        angle, scale = drawn[0] * self.turn * math.pi / 180, 1 / (1 + self.scale * drawn[1])
        across, down = drawn[2] * 2 * self.shift / width, drawn[3] * 2 * self.shift / height
        top = torch.stack([scale * angle.cos(), -scale * angle.sin() * height / width, across], 1)
        low = torch.stack([scale * angle.sin() * width / height, scale * angle.cos(), down], 1)
        grid = F.affine_grid(torch.stack([top, low], 1), [self.count, len(picture), height, width], align_corners=False)
        shown = picture.expand(self.count, *picture.shape)
        return F.grid_sample(shown, grid, padding_mode="reflection", align_corners=False)
