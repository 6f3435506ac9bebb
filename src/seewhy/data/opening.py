"""Open whatever holds frames: a video, an animation, a folder, a list, an array."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from seewhy.data import animation
from seewhy.data.animation import Animation
from seewhy.data.frames import Block, Folder, Pictures
from seewhy.data.moving import Moving
from seewhy.data.video import VideoFile
from seewhy.errors import DataError


def moving(source: Any) -> Moving:
    """Return the frames of a source, none of them decoded yet.

    Args:
        source: path of a video, of an animation (GIF, WebP, APNG) or of a folder with numbered pictures; uint8 frames (t, h, w, 3),
            floating point ones (t, 3, h, w) from 0 to 1, a list of pictures, or a `Moving` as it is.

    Raises:
        DataError: no such file, or nothing that holds frames.
        MissingExtra: a video, and the package `av` is not installed.
    """
    if isinstance(source, Moving):
        return source
    if isinstance(source, (str, Path)):
        path = Path(source)
        if path.is_dir():
            return Folder(path)
        return Animation(path) if path.suffix.lower() in animation.ENDINGS else VideoFile(path)
    if isinstance(source, (np.ndarray, Tensor)):
        return Block(source)
    if is_pictures(source):
        return Pictures(source, "pictures")
    raise DataError(
        "a clip is the path of a video, an animation or a folder of frames, uint8 frames (t, h, w, 3), floating point ones "
        f"(t, 3, h, w) from 0 to 1, or a list of pictures; got {type(source).__name__}"
    )


def is_pictures(source: Any) -> bool:
    """Say whether a source is a list of pictures in memory, which together are a clip."""
    return isinstance(source, (list, tuple)) and bool(source) and all(_is_picture(item) for item in source)


def _is_picture(item: Any) -> bool:
    return isinstance(item, Image.Image) or (isinstance(item, (np.ndarray, Tensor)) and item.ndim in {2, 3})
