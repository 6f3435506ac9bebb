"""Animated WebP and GIF of few bytes, for messages and pages: smaller and with fewer frames until they fit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from os import PathLike
from pathlib import Path

from PIL import Image

from seewhy.errors import ConfigError, DataError
from seewhy.render.encode import write_bytes
from seewhy.render.movie import TICKS, Pixels, frame_ticks, timed

MOST_FRAMES = 128
"""Frames that are held, and shown, at most; of more, every other one is left out, again and again."""

LEAST_SIDE = 96
"""Longer side of a preview, in pixels, below which frames are left out instead."""

KINDS = {".webp": "WEBP", ".gif": "GIF"}


def write_preview(
    path: str | PathLike[str],
    frames: Iterable[Pixels],
    *,
    rate: float = 25.0,
    seconds: Iterable[float] | None = None,
    limit: int = 2_000_000,
    longest: int = 480,
    quality: int = 75,
    force: bool = False,
) -> Path:
    """Write frames as an animated picture of at most `limit` bytes that plays for as long as they do.

    Frames are taken one at a time and made smaller at once; at most 128 are held. Where the file comes out too large, it is made
    again with smaller frames, and then with fewer, until it fits.

    Args:
        path: where, with the ending .webp or .gif; GIF has 256 colours a frame and is several times as large.
        frames: uint8 (h, w, 3) or pictures, all of one size.
        rate: frames per second, where `seconds` is None.
        seconds: when each frame is shown, growing; the last one is shown as long as the one before.
        limit: bytes at most.
        longest: longer side at most, in pixels.
        quality: of WebP, 0 to 100.
        force: replace a file that exists.

    Returns:
        The path that was written.

    Raises:
        DataError: no frames, frames of different sizes, times that do not grow, a limit that not even one small frame keeps, or the file
            cannot be written.
        ConfigError: another ending.
    """
    kind = KINDS.get(Path(path).suffix.lower())
    if kind is None:
        raise ConfigError(f"a preview ends in {' or '.join(KINDS)}, got {str(path)!r}")
    reel = _reel(frames, rate, seconds, longest, str(path))
    made = reel.encoded(kind, quality)
    while len(made) > limit:
        reel = reel.lighter(len(made) / limit, str(path))
        made = reel.encoded(kind, quality)
    return write_bytes(path, made, force=force)


@dataclass(frozen=True)
class _Reel:
    """Small frames, when each is shown, and when the last one ends, in units of time."""

    pictures: Sequence[Image.Image]
    ticks: Sequence[int]
    end: int

    def encoded(self, kind: str, quality: int) -> bytes:
        """Return the bytes of the animation."""
        unit = 100 if kind == "GIF" else 1000  # parts of a second that the format knows
        stamps = [round(tick * unit / TICKS) for tick in (*self.ticks, self.end)]
        lasting = [max(1, after - before) * 1000 // unit for before, after in pairwise(stamps)]
        buffer = BytesIO()
        settings = {"quality": quality, "method": 3} if kind == "WEBP" else {"optimize": False, "disposal": 1}
        self.pictures[0].save(
            buffer,
            kind,
            save_all=True,
            append_images=self.pictures[1:],
            duration=lasting if len(lasting) > 1 else lasting[0],
            loop=0,
            **settings,
        )
        return buffer.getvalue()

    def lighter(self, excess: float, name: str) -> "_Reel":
        """Return frames of a smaller size, or fewer; `excess` is how many times too large the file is."""
        width, height = self.pictures[0].size
        scale = max(0.9 / math.sqrt(excess), LEAST_SIDE / max(width, height))
        if scale < 0.95:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            return _Reel(
                [picture.resize(size, Image.Resampling.BOX) for picture in self.pictures], self.ticks, self.end
            )
        if len(self.pictures) == 1:
            raise DataError(f"{name}: not even one frame of {width} x {height} fits the limit of bytes")
        return _Reel(self.pictures[::2], self.ticks[::2], self.end)


def _reel(frames: Iterable[Pixels], rate: float, seconds: Iterable[float] | None, longest: int, name: str) -> _Reel:
    """Take frames one at a time, make each small, and hold at most so many: of more, every other one, then every fourth, and so on."""
    pictures: list[Image.Image] = []
    ticks: list[int] = []
    every, last, usual = 1, 0, frame_ticks(rate)
    for number, (pixels, tick) in enumerate(timed(frames, rate, seconds, name)):
        usual, last = (tick - last if number else usual), tick
        if number % every:
            continue
        if len(pictures) == MOST_FRAMES:
            pictures, ticks, every = pictures[::2], ticks[::2], every * 2
            if number % every:
                continue
        picture = Image.fromarray(pixels)
        picture.thumbnail((longest, longest), Image.Resampling.BOX)
        pictures.append(picture)
        ticks.append(tick)
    return _Reel(pictures, ticks, last + usual)
