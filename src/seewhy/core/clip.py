"""Frames of a video, and when each of them is shown."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from seewhy.errors import DataError


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames that were taken from a video, upright.

    Attributes:
        frames: (t, h, w, 3), 8-bit RGB.
        seconds: when each frame is shown, from the beginning of the video.
        numbers: number of each frame in the video, from 0.
        rate: frames that the video shows per second, on average.
        notes: what a reader of its explanations must know, such as frames that were lost.
    """

    frames: UInt8[np.ndarray, "t h w 3"]
    seconds: tuple[float, ...]
    numbers: tuple[int, ...]
    rate: float
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.frames)
        if (
            self.frames.ndim != 4
            or self.frames.shape[3] != 3
            or self.frames.dtype != np.uint8
            or 0 in self.frames.shape
        ):
            raise DataError(
                f"frames of a clip are uint8 (t, h, w, 3), at least one of them; got {self.frames.dtype} {self.frames.shape}"
            )
        if (len(self.seconds), len(self.numbers)) != (count, count):
            raise DataError(
                f"a clip of {count} frames has a time and a number for each, got {len(self.seconds)} times and {len(self.numbers)} numbers"
            )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        return self.frames.shape[1], self.frames.shape[2]

    def picture(self, frame: int) -> Image.Image:
        """Return one frame as a picture."""
        return Image.fromarray(self.frames[frame])
