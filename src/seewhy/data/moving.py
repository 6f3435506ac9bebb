"""Whatever shows frames one after the other: what a video file, an animation, a folder of pictures and an array have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

Draw = Callable[[int | None], UInt8[np.ndarray, "h w 3"]]
"""Makes the upright 8-bit RGB pixels of a frame; its longer side is at most so many pixels, or the file's own if None."""

MOST_PIXELS = 1 << 26
"""Largest frame that is decoded, in pixels: 200 MB of 8-bit RGB."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One frame that has been decoded; its pixels are converted only when they are asked for.

    Attributes:
        number: of the frame, from 0, in the order in which frames are shown.
        seconds: when it is shown, from the first frame on.
        draw: makes its pixels.
    """

    number: int
    seconds: float
    draw: Draw


class Moving(ABC):
    """Frames in the order in which they are shown, decoded in one pass, one at a time.

    Attributes:
        name: for people.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._remarks: list[str] = []

    @abstractmethod
    def shown(self) -> Iterator[Shown]:
        """Decode from the beginning, once, and yield frame after frame.

        Raises:
            DataError: there is no frame, or none that can be read.
        """

    def shown_from(self, start: float) -> Iterator[Shown]:
        """Yield frame after frame as `shown` does; those that are shown before `start` may be left out, where that saves decoding."""
        _ = start
        return self.shown()

    @abstractmethod
    def times(self) -> Sequence[float]:
        """Return when each frame is shown, in seconds from the first one, without decoding. A damaged file may hold fewer."""

    @property
    @abstractmethod
    def rate(self) -> float:
        """Frames per second, as the file says; for where it cannot be measured."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of an explanation must know of what was decoded so far, such as frames that were lost."""
        return tuple(self._remarks)

    def remark(self, text: str) -> None:
        """Note something, once."""
        if text not in self._remarks:
            self._remarks.append(text)


def reduced(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """Return a size (h, w) whose longer side is at most `longest`, in proportion."""
    if longest is None or max(size) <= longest:
        return size
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
