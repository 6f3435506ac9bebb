"""Read clips from videos."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from seewhy.core.clip import Clip
from seewhy.errors import DataError, MissingExtra

ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts"})
"""Endings by which a video is known."""


def is_video(path: Path) -> bool:
    """Say whether a file is a video, by its ending."""
    return path.suffix.lower() in ENDINGS


def read_clip(path: Path, frames: int, stride: int | None = None) -> Clip:
    """Return frames of a video: every `stride`-th from the beginning, or spread evenly over all of it.

    Raises:
        DataError: the video cannot be read, or is too short.
        MissingExtra: the package `av` is not installed.
    """
    shown = _decoded(path)
    wanted = _spread(len(shown), frames) if stride is None else tuple(range(0, frames * stride, stride))
    if not shown or wanted[-1] >= len(shown):
        raise DataError(f"{path}: {frames} frames are wanted, and the video has {len(shown)}")
    pixels = np.stack([shown[number][1] for number in wanted])
    last = shown[-1][0]
    return Clip(pixels, tuple(shown[number][0] for number in wanted), wanted, (len(shown) - 1) / last if last else 25.0)


def _spread(count: int, frames: int) -> tuple[int, ...]:
    """Return the middles of so many equal parts of a video."""
    return tuple(int((part + 0.5) * count / frames) for part in range(frames))


def _decoded(path: Path) -> Sequence[tuple[float, np.ndarray]]:
    """Return time and pixels of every frame."""
    av = _library()
    try:
        with av.open(str(path)) as container:
            return [(float(frame.time or 0.0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    except (av.FFmpegError, OSError) as error:
        raise DataError(f"{path}: not a video that can be read ({error})") from error


def _library() -> ModuleType:
    try:
        import av
    except ImportError:
        raise MissingExtra("reading and writing videos wants the package av: pip install 'seewhy[video]'") from None
    return av  # type: ignore[no-any-return]
