"""Clips with some of their frames hidden, put in another order, or held."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.errors import ConfigError, DataError
from seewhy.ops.filters import gaussian_blur

Hiding = Literal["freeze", "interpolate", "blur"]
"""What is shown in the place of frames that are hidden."""
Run = tuple[int, int]
"""The first frame of a run, and the one after its last."""


def runs_of(frames: int, width: int, stride: int) -> tuple[Run, ...]:
    """Return windows of `width` frames, each `stride` after the one before; the last one ends with the clip."""
    if not 1 <= width < frames or not 1 <= stride <= width:
        raise ConfigError(
            f"a window has from 1 to {frames - 1} of the {frames} frames, and a stride from 1 to its width; got width {width} and stride {stride}"
        )
    starts = list(range(0, frames - width + 1, stride))
    starts += [] if starts[-1] == frames - width else [frames - width]
    return tuple((start, start + width) for start in starts)


def parts_of(frames: int, count: int) -> tuple[Run, ...]:
    """Return `count` runs as equal as can be that cover all frames."""
    if not 2 <= count <= frames:
        raise ConfigError(f"a clip of {frames} frames has from 2 to {frames} segments, got {count}")
    edges = [round(part * frames / count) for part in range(count + 1)]
    return tuple(pairwise(edges))


def stand_ins(clip: Float[Tensor, "c t h w"], runs: Sequence[Run], kind: Hiding) -> Float[Tensor, "c t h w"]:
    """Return what is shown in the place of each run of frames where this run is hidden, and no other.

    Args:
        clip: the frames.
        runs: without overlap; frames outside of them stay as they are.
        kind: "freeze" shows the frame before the run (for one at the beginning, the frame after it); "interpolate" goes in equal steps from
            the frame before to the frame after (at an end of the clip it is the one that there is); "blur" shows each frame itself, blurred
            with a Gaussian whose deviation is a tenth of its shorter side.

    Raises:
        ConfigError: an unknown kind.
        DataError: the clip is a single frame, or a run is the whole clip: there is no other frame to show.
    """
    if kind not in get_args(Hiding):
        raise ConfigError(f"frames are hidden by {', '.join(get_args(Hiding))}; got {kind!r}")
    if kind == "blur":
        return blurred(clip)
    frames = clip.shape[1]
    if any((start, stop) == (0, frames) for start, stop in runs):
        raise DataError(
            f"all {frames} frames of the clip would be hidden, and none is left to be shown in their place; "
            "a clip has at least two frames and two segments, or its frames are hidden by blur"
        )
    made = clip.clone()
    for start, stop in runs:
        made[:, start:stop] = _frozen(clip, start, stop) if kind == "freeze" else _between(clip, start, stop)
    return made


def blurred(clip: Float[Tensor, "c t h w"]) -> Float[Tensor, "c t h w"]:
    """Return each frame blurred with a Gaussian whose deviation is a tenth of its shorter side."""
    return gaussian_blur(clip.transpose(0, 1), min(clip.shape[2:]) / 10).transpose(0, 1).contiguous()


def even(clip: Float[Tensor, "c t h w"]) -> Float[Tensor, "c t h w"]:
    """Return a clip of the same mean colour everywhere, always."""
    return clip.mean(dim=(1, 2, 3), keepdim=True).expand_as(clip).contiguous()


def swapped_in(clip: Float[Tensor, "c t h w"], other: Float[Tensor, "c t h w"], run: Run) -> Float[Tensor, "c t h w"]:
    """Return a clip in which a run of frames is that of another one."""
    made = clip.clone()
    made[:, run[0] : run[1]] = other[:, run[0] : run[1]]
    return made


def held(clip: Float[Tensor, "c t h w"], frame: int) -> Float[Tensor, "c t h w"]:
    """Return the clip that stands still at one frame from there on."""
    made = clip.clone()
    made[:, frame + 1 :] = clip[:, frame : frame + 1]
    return made


def repeated(clip: Float[Tensor, "c t h w"], frame: int) -> Float[Tensor, "c t h w"]:
    """Return one frame, shown all the time."""
    return clip[:, frame : frame + 1].expand_as(clip).contiguous()


def _frozen(clip: Tensor, start: int, stop: int) -> Tensor:
    shown = start - 1 if start else stop
    return clip[:, shown : shown + 1]


def _between(clip: Tensor, start: int, stop: int) -> Tensor:
    before, after = max(start - 1, 0), min(stop, clip.shape[1] - 1)
    if start == 0 or stop == clip.shape[1]:
        shown = after if start == 0 else before
        return clip[:, shown : shown + 1]
    steps = torch.arange(1, stop - start + 1).to(clip) / (stop - start + 1)
    return torch.lerp(clip[:, before : before + 1], clip[:, after : after + 1], steps[None, :, None, None])
