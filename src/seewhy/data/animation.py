"""Animated pictures (GIF, WebP, APNG): their frames one after the other, by Pillow, which lays each over those before."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from seewhy.data.moving import MOST_PIXELS, Moving, Shown, reduced
from seewhy.data.picture import check_file, upright
from seewhy.errors import DataError

ENDINGS = frozenset({".gif", ".webp", ".apng", ".png"})
"""Endings of files that may be animated."""

FORMATS = ("GIF", "WEBP", "PNG")

USUAL = 0.1
"""Seconds that a frame is shown that states no time, or less than a hundredth of a second, as browsers do it."""


class Animation(Moving):
    """An animated picture.

    Args:
        path: the file.

    Raises:
        DataError: no such file, or an empty one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.name)
        check_file(path, "an animation")
        self._path = path

    @property
    def rate(self) -> float:
        """Frames per second, on average."""
        times = self.times()
        return (len(times) - 1) / times[-1] if len(times) > 1 else 1 / USUAL

    def times(self) -> Sequence[float]:
        """Return when each frame is shown; Pillow decodes frames to know it, one at a time."""
        return self._times

    @cached_property
    def _times(self) -> tuple[float, ...]:
        return tuple(shown.seconds for shown in self.shown())

    def shown(self) -> Iterator[Shown]:
        """Decode frame after frame; what is cut off is remarked."""
        with self._opened() as image:
            seconds, count = 0.0, getattr(image, "n_frames", 1)
            if ends_early(self._path):
                self.remark(f"{self.name}: its end is missing; frames may be lost")
            for number in range(count):
                try:
                    image.seek(number)
                    frame = upright(image.copy())
                except (
                    Exception
                ) as error:  # decoders raise anything on broken files: OSError, EOFError, SyntaxError, struct.error
                    self._tell_cut(number, count, error)
                    return
                yield Shown(number, seconds, lambda longest, frame=frame: _pixels(frame, longest))  # type: ignore[misc]
                stated = float(image.info.get("duration", 0)) / 1000
                seconds += stated if stated >= 0.011 else USUAL

    def _tell_cut(self, number: int, count: int, error: Exception) -> None:
        if not number:
            raise DataError(f"{self._path} is broken or cut short ({str(error) or type(error).__name__})") from error
        self.remark(f"{self.name}: {count - number} of {count} frames are lost; it is damaged or cut short")

    @contextmanager
    def _opened(self) -> Iterator[Image.Image]:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                image = Image.open(self._path, formats=FORMATS)
            except (Image.DecompressionBombWarning, Image.DecompressionBombError):
                raise DataError(
                    f"{self._path} is gigantic: at most {MOST_PIXELS // 10**6} million pixels are read"
                ) from None
            except Exception as error:  # as above
                raise DataError(f"{self._path} is not an animation that can be read (GIF, WebP, APNG)") from error
        with image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{self._path} is gigantic: at most {MOST_PIXELS // 10**6} million pixels are read")
            yield image


def ends_early(path: Path) -> bool:
    """Say whether the end of an animation is missing: the closing byte of a GIF, the last chunk of a PNG, bytes that a WebP tells of."""
    with path.open("rb") as file:
        head = file.read(12)
        size = file.seek(0, 2)
        file.seek(max(0, size - 64))
        tail = file.read()
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 > size
    if head[:4] == b"\x89PNG":
        return b"IEND\xaeB`\x82" not in tail
    return not tail.rstrip(b"\0").endswith(b";")


def _pixels(frame: Image.Image, longest: int | None) -> UInt8[np.ndarray, "h w 3"]:
    height, width = reduced((frame.height, frame.width), longest)
    if (height, width) != (frame.height, frame.width):
        frame = frame.resize((width, height), Image.Resampling.BOX)
    return np.asarray(frame)
