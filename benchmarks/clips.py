"""Reading and writing of clips against PyAV alone, used as its own documentation does: same frames, same pixels, same settings."""

import os
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import processor_seconds
from benchmarks.table import markdown
from seewhy.data.clips import read_clip, windows
from seewhy.data.video import facts, frames_of
from seewhy.render.movie import write_movie

BAR = 1.2
"""The most that ours may cost, in what PyAV alone costs."""

WRITTEN = 120
"""Frames that are written."""


@dataclass(frozen=True)
class Measured:
    """One task: processor time of ours and of PyAV alone, in seconds, and their ratio, the median of rounds."""

    task: str
    ours: float
    alone: float
    ratio: float


@cache
def video() -> Path:
    """Return a real video of 795 frames of 768 x 576 where SEEWHY_DATA names it, else as many frames of moving waves."""
    given = os.environ.get("SEEWHY_DATA")
    return Path(given, "video", "vtest.avi") if given else _waves(Path(tempfile.mkdtemp(), "waves.mp4"))


def _waves(path: Path) -> Path:
    y, x = np.mgrid[0:576, 0:768]
    still = np.stack([x % 251, y % 253, (x + y) % 241], axis=-1).astype(np.uint8)
    return write_movie(path, (np.roll(still, 2 * number, axis=1) for number in range(795)), rate=10)


@cache
def pixels() -> list[np.ndarray]:
    """Return the frames that are written."""
    return [frame.pixels for frame in frames_of(video(), range(WRITTEN))]


def tasks(folder: Path) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return by task what ours does, and what PyAV alone does."""
    return {
        "every frame as RGB": (_ours_whole, _alone_whole),
        "16 frames spread evenly": (lambda: read_clip(video(), 16), _alone_spread),
        "windows of 16 frames, 8 apart": (_ours_windows, _alone_windows),
        f"{WRITTEN} frames to H.264": (
            lambda: write_movie(folder / "ours.mp4", pixels(), rate=10, force=True),
            lambda: _alone_write(folder / "alone.mp4"),
        ),
    }


def measured(rounds: int = 5) -> list[Measured]:
    """Measure all tasks, ours and theirs in turn."""
    with tempfile.TemporaryDirectory() as folder:
        return [_measured(task, *both, rounds) for task, both in tasks(Path(folder)).items()]


def _measured(task: str, ours: Callable[[], Any], alone: Callable[[], Any], rounds: int) -> Measured:
    ours(), alone()
    times = [(processor_seconds(ours), processor_seconds(alone)) for _ in range(rounds)]
    return Measured(
        task,
        median(pair[0] for pair in times),
        median(pair[1] for pair in times),
        median(pair[0] / pair[1] for pair in times),
    )


def _ours_whole() -> None:
    for _ in frames_of(video()):
        pass


def _ours_windows() -> None:
    for _ in windows(video(), 16):
        pass


def _alone_whole() -> None:
    import av

    with av.open(str(video())) as container:
        for frame in container.decode(video=0):
            frame.to_ndarray(format="rgb24")


def _alone_spread() -> np.ndarray:
    """Decode up to the last frame wanted, and convert those wanted; how many there are is told beforehand, as by ours."""
    import av

    count = facts(video()).frames
    wanted = [(2 * part + 1) * count // 32 for part in range(16)]
    with av.open(str(video())) as container:
        taken = []
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                taken.append(frame.to_ndarray(format="rgb24"))
            if number == wanted[-1]:
                break
    return np.stack(taken)


def _alone_windows() -> None:
    import av

    held: deque[np.ndarray] = deque(maxlen=16)
    with av.open(str(video())) as container:
        for number, frame in enumerate(container.decode(video=0)):
            held.append(frame.to_ndarray(format="rgb24"))
            if number >= 15 and (number - 15) % 8 == 0:
                np.stack(held)


def _alone_write(path: Path) -> None:
    import av

    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.height, stream.width = pixels()[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast", "bf": "0"}
        for frame in pixels():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def table(found: list[Measured]) -> str:
    """Return the ratios as markdown."""
    head = (f"clips: {video().name}", "ours", "PyAV alone", "ours / alone", "bar", "reached")
    return markdown(
        head,
        [
            (
                one.task,
                f"{one.ours:.2f} s",
                f"{one.alone:.2f} s",
                f"**{one.ratio:.2f}**",
                f"{BAR:g}",
                "yes" if one.ratio <= BAR else "**no**",
            )
            for one in found
        ],
    )
