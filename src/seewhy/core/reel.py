"""How an explanation of a clip is drawn: importance of its frames, and one scale for all of them."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.errors import ShapeError
from seewhy.ops.filters import resize
from seewhy.render.reel import Reel
from seewhy.render.scene import drawing_size, resized

DRAWN, SMALLEST = 400, 240
"""Longer side, in pixels, at which frames are drawn: at most, and at least."""


def frame_importance(heatmap: Float[Tensor, "t h w"], frames: int) -> Float[Tensor, " frames"]:
    """Return the sum of a map in each frame, signed, in units of the map.

    Where the map has fewer steps in time than the clip has frames, the sums of its steps are interpolated and divided by the frames in a step, so
    that they still add up to the map's sum (nearly: the ends are held).
    """
    sums = heatmap.double().flatten(1).sum(dim=1)
    return resize(sums[None], (frames,))[0] * (len(sums) / frames)


def reel(
    sample: Sample,
    heatmap: Float[Tensor, "t h w"],
    *,
    longest: int = DRAWN,
    area: Bool[Tensor, "t h w"] | None = None,
    **scale: Any,
) -> Reel:
    """Return what is drawn of one clip.

    Args:
        sample: the clip.
        heatmap: its map, at any resolution.
        longest: longer side of a frame as it is drawn, in pixels; small frames are drawn with at least 240.
        area: places of the input (t, h, w) that get a line around them.
        scale: sign, limit, unit and words, as `seewhy.render.reel.Reel` takes them.

    Raises:
        ShapeError: the map is that of a picture or of a volume.
    """
    if heatmap.dim() != 3 or sample.placement is not None:
        raise ShapeError("moving pictures and sheets of frames are made of a clip; this explains a picture or a volume")
    count = sample.inputs.shape[1]
    frames = _frames(sample, count, longest)
    size = frames.shape[1:3]
    clip = sample.clip
    return Reel(
        frames=frames,
        maps=sample.to_source(heatmap, size).float().cpu().numpy(),
        seconds=None if clip is None else clip.seconds,
        numbers=range(count) if clip is None else clip.numbers,
        importance=frame_importance(heatmap, count).cpu().numpy(),
        areas=None if area is None else drawn_area(sample, area, size),
        **scale,
    )


def drawn_area(sample: Sample, area: Bool[Tensor, "t h w"], size: tuple[int, int]) -> Bool[np.ndarray, "t h w"]:
    """Return places of the input on the source frames at the size (h, w) at which these are drawn."""
    return (sample.to_source(area.float(), size).nan_to_num(0) > 0.5).numpy()


def _frames(sample: Sample, count: int, longest: int) -> np.ndarray:
    """Return the source frames at the size at which they are drawn."""
    size = drawing_size(sample.view(0).size, min(SMALLEST, longest), longest)
    return np.stack([np.asarray(resized(sample.view(frame), size)) for frame in range(count)])
