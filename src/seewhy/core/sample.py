"""A picture on its way into a network, and the way back."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """Which part of a source picture the network saw, and at which size.

    Attributes:
        source: size (h, w) of the source picture, upright.
        window: (top, left, bottom, right) in source pixels, edges not centres; the window is stretched to the input.
            It lies inside the source for a crop and reaches beyond it for a letterbox.
        size: size (h, w) of the network's input.
    """

    source: tuple[int, int]
    window: tuple[float, float, float, float]
    size: tuple[int, int]

    def to_source(self, heatmap: Float[Tensor, "h w"], size: tuple[int, int] | None = None) -> Float[Tensor, "sh sw"]:
        """Return a map of the input (at any resolution) on the pixels of the source picture; NaN where nothing was seen.

        Args:
            heatmap: map over the window, at any resolution.
            size: resolution (h, w) at which to draw the whole source picture; its own size if None.
        """
        height, width = size or self.source
        top, left, bottom, right = self.window
        y = (torch.arange(height).to(heatmap) + 0.5) * (self.source[0] / height)  # source pixels
        x = (torch.arange(width).to(heatmap) + 0.5) * (self.source[1] / width)
        v, u = (y - top) / (bottom - top), (x - left) / (right - left)  # shares of the window
        grid = torch.stack(
            [(2 * u[None, :] - 1).expand(height, width), (2 * v[:, None] - 1).expand(height, width)], dim=-1
        )
        drawn = F.grid_sample(heatmap[None, None], grid[None], padding_mode="border", align_corners=False)[0, 0]
        seen = ((v >= 0) & (v <= 1))[:, None] & ((u >= 0) & (u <= 1))[None, :]
        return drawn.where(seen, torch.nan)


@dataclass(frozen=True, eq=False)
class Sample:
    """A source picture, the network's input made from it, and the geometry between them.

    Attributes:
        inputs: the network's input (c, *spatial), normalized.
        picture: the source, upright; None where the sample came as a ready input.
        geometry: how the input lies in the source; None with `picture`.
        name: file name or other label, for people.
    """

    inputs: Float[Tensor, "c *spatial"]
    picture: Image.Image | None = None
    geometry: Geometry | None = None
    name: str = ""
