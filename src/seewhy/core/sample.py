"""A picture, a clip or a volume on its way into a network, and the way back."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.core.clip import Clip
from seewhy.core.volume import Placement, Volume
from seewhy.ops.filters import resize


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
    """A source, the network's input made from it, and the geometry between them. The source is a picture, a clip or a volume.

    Attributes:
        inputs: the network's input (c, *spatial), normalized.
        picture: the source, upright; None where it is a clip, or the sample came as a ready input.
        geometry: how the input, or each frame of it, lies in the source; None for a ready input.
        name: file name or other label, for people.
        clip: the source frames, one for each frame of the input.
        volume: the source scan; of a picture that is a slice of a scan, that slice, with its millimetres.
        placement: how the input lies in the volume; None where the network sees a picture.
        notes: what a reader of its explanations must know of the source.
    """

    inputs: Float[Tensor, "c *spatial"]
    picture: Image.Image | None = None
    geometry: Geometry | None = None
    name: str = ""
    clip: Clip | None = None
    volume: Volume | None = None
    placement: Placement | None = None
    notes: tuple[str, ...] = ()

    def to_source(
        self, heatmap: Float[Tensor, "*cells"], size: tuple[int, int] | None = None
    ) -> Float[Tensor, "*source"]:
        """Return a map of the input (at any resolution) on the source: (h, w) of a picture, (t, h, w) of a clip's frames, (d, h, w) of a
        volume's own voxels.

        Args:
            heatmap: map over the input, at any resolution.
            size: resolution (h, w) at which to draw the whole picture, or each frame; its own size if None, or that of a ready input.
                Not used for a volume.
        """
        if self.placement is not None:
            return self.placement.to_source(heatmap)
        spatial = tuple(self.inputs.shape[1:])
        if self.geometry is None:
            return resize(heatmap[None], (*spatial[:-2], *(size or spatial[-2:])))[0]
        if self.clip is None:
            return self.geometry.to_source(heatmap, size)
        frames = resize(heatmap[None], (len(self.clip), *heatmap.shape[1:]))[0]
        return torch.stack([self.geometry.to_source(frame, size) for frame in frames])

    def view(self, frame: int = 0) -> Image.Image:
        """Return the source picture, one frame of the clip, or one slice of the volume as it is shown; a grey view of a ready input."""
        if self.picture is not None:
            return self.picture
        if self.volume is not None:
            return self.volume.turned().picture(frame)
        if self.clip is not None:
            return self.clip.picture(frame)
        values = self.inputs.detach().float().mean(dim=0)
        low, high = values.min(), values.max()  # of all frames: one scale for the whole clip
        grey = ((values if values.dim() == 2 else values[frame]) - low) / (high - low).clamp_min(1e-12) * 255
        return Image.fromarray(grey.byte().cpu().numpy().astype(np.uint8)).convert("RGB")
