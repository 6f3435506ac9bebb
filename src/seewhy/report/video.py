"""What is said about a video that is longer than what a network sees at once: windows, and the strongest of them in full."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from seewhy.report.clip import ClipReport


@dataclass(frozen=True)
class Window:
    """A stretch of a video that the network saw at once.

    Attributes:
        first, last: numbers of its first and last frame in the video.
        start, end: when these are shown, in seconds.
        score: value of the target; probability: None where it is no class.
        top: the likeliest class in this window; empty where the answer is no class.
    """

    first: int
    last: int
    start: float
    end: float
    score: float
    probability: float | None
    top: str


@dataclass(frozen=True, eq=False)
class FusedMap:
    """Maps of overlapping windows, averaged where they overlap; the maps lie in a file, since there may be very many.

    Attributes:
        numbers, seconds: of each frame that a map was made for, in order.
        windows: in how many windows each frame was.
        importance: mean over its windows of what the map holds of a frame.
        shape: cells (h, w) of a frame's map.
        path: file with the maps, float32 (n, h, w), nothing else in it.
    """

    numbers: tuple[int, ...]
    seconds: tuple[float, ...]
    windows: tuple[int, ...]
    importance: Float[np.ndarray, " n"]
    shape: tuple[int, int]
    path: Path

    def maps(self) -> Float[np.ndarray, "n h w"]:
        """Return the maps, read from their file as they are used."""
        return np.memmap(self.path, dtype=np.float32, mode="r", shape=(len(self.numbers), *self.shape))


@dataclass(frozen=True, eq=False)
class VideoReport:
    """A long video: the score of every window, the map over time, and the strongest windows in full.

    Attributes:
        name: file name, for people.
        frames: of the video; covered: share of them that lies within a window with a map.
        windows: all of them, in order; explained: how many have a map.
        answer: what was asked; unit: of the scores.
        strongest: the windows with the highest scores, highest first, each with its place among the windows. All are drawn on one scale.
        fused: the maps of all explained windows, averaged.
    """

    name: str
    frames: int
    covered: float
    windows: tuple[Window, ...]
    explained: int
    answer: str
    unit: str
    strongest: tuple[tuple[int, ClipReport], ...]
    fused: FusedMap

    @property
    def best(self) -> ClipReport:
        """The window with the highest score."""
        return self.strongest[0][1]
