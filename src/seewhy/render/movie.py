"""Moving pictures to files: H.264 in MP4 for browsers and players, animated WebP and GIF for messages and pages. Frames are streamed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from seewhy.errors import ConfigError, DataError, MissingExtra, optional
from seewhy.render.encode import written_whole

Pixels = UInt8[np.ndarray, "h w 3"] | Image.Image
"""A frame: 8-bit RGB."""

TICKS = 90_000
"""Units of time in a second: multiples of all usual rates."""

LONGEST = 1920
"""Longer side of a movie at most, in pixels; players on many machines take no more."""

ENCODERS = ("libx264", "libopenh264")


def write_movie(
    path: str | PathLike[str],
    frames: Iterable[Pixels],
    *,
    rate: float = 25.0,
    seconds: Iterable[float] | None = None,
    quality: int = 20,
    longest: int = LONGEST,
    force: bool = False,
) -> Path:
    """Write frames as H.264 in MP4 that plays in browsers: yuv420p in BT.709, even sizes, the index at the beginning.

    Frames are taken one at a time, so a movie may be longer than memory. A row or column that is missing for an even size repeats the
    edge. The file appears under its name once it is whole.

    Args:
        path: where, with the ending .mp4.
        frames: uint8 (h, w, 3) or pictures, all of one size.
        rate: frames per second, where `seconds` is None.
        seconds: when each frame is shown, growing; the first one is shown at once, the last one as long as the one before.
        quality: constant rate factor of x264: 0 is without loss, 18 looks like the source, 51 is worst.
        longest: longer side at most, in pixels; larger frames are made smaller.
        force: replace a file that exists.

    Returns:
        The path that was written.

    Raises:
        DataError: no frames, frames of different sizes, times that do not grow, or the file cannot be written.
        ConfigError: a rate or a quality out of range.
        MissingExtra: the package `av` is not installed, or its build has no encoder for H.264.
    """
    if not 0 <= quality <= 51:
        raise ConfigError(f"quality is from 0 (without loss) to 51, got {quality}")
    av: Any = optional("av", "video")
    settings = _Settings(_encoder(av), quality, longest, frame_ticks(rate))
    with (
        written_whole(path, force=force) as begun,
        av.open(str(begun), "w", format="mp4", container_options={"movflags": "+faststart"}) as container,
    ):
        writer = _Writer(container, settings)
        for pixels, tick in timed(frames, rate, seconds, str(path)):
            writer.add(pixels, tick)
        writer.finish()
    return Path(path)


def _encoder(av: Any) -> str:
    """Return an encoder for H.264 that this build of av has."""
    for name in ENCODERS:
        try:
            av.Codec(name, "w")
        except (ValueError, av.FFmpegError):  # av's own error for an unknown codec is a ValueError
            continue
        return name
    raise MissingExtra(
        f"this build of av cannot write H.264 (it has none of {', '.join(ENCODERS)}): pip install --force-reinstall av, or write .webp"
    )


def frame_ticks(rate: float) -> int:
    """Return how long a frame is shown, in units of time; raise `ConfigError` for a rate out of range."""
    if not 0 < rate <= 1000:
        raise ConfigError(f"a rate is more than 0 and at most 1000 frames per second, got {rate:g}")
    return round(TICKS / rate)


def timed(
    frames: Iterable[Pixels], rate: float, seconds: Iterable[float] | None, name: str
) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], int]]:
    """Yield frames as arrays, and when each is shown, in units of time from the first one; arguments as in `write_movie`.

    Raises:
        DataError: no frames, frames of different sizes, or times that do not grow.
        ConfigError: a rate out of range.
    """
    ticks = _ticks(rate, seconds)
    size: tuple[int, ...] | None = None
    last = -1
    for number, frame in enumerate(frames):
        pixels, tick = _checked(frame, number, name), next(ticks, None)
        size = size or pixels.shape
        if pixels.shape != size:
            raise DataError(
                f"{name}: frames of a movie have one size, and frame 0 is {size[1]} x {size[0]}, "
                f"frame {number} {pixels.shape[1]} x {pixels.shape[0]}"
            )
        if tick is None or tick <= last:
            wrong = (
                "has no time"
                if tick is None
                else f"comes at {tick / TICKS:g} s, not after the one before ({last / TICKS:g} s)"
            )
            raise DataError(f"{name}: frame {number} {wrong}; give one time for each frame, growing")
        last = tick
        yield pixels, tick
    if size is None:
        raise DataError(f"{name}: there are no frames to write")


def _ticks(rate: float, seconds: Iterable[float] | None) -> Iterator[int]:
    """Yield when each frame is shown, in units of time from the first one."""
    if seconds is None:
        number = 0
        while True:
            yield round(number * TICKS / rate)
            number += 1
    first: float | None = None
    for time in seconds:
        first = time if first is None else first
        yield round((time - first) * TICKS)


def _checked(frame: object, number: int, name: str) -> UInt8[np.ndarray, "h w 3"]:
    pixels = np.asarray(frame.convert("RGB")) if isinstance(frame, Image.Image) else frame
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.ndim != 3
        or pixels.shape[2] != 3
        or 0 in pixels.shape
    ):
        got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(frame).__name__
        raise DataError(f"{name}: a frame is a picture or uint8 (h, w, 3); frame {number} is {got}")
    return pixels


@dataclass(frozen=True)
class _Settings:
    """What is asked of a movie."""

    encoder: str
    quality: int
    longest: int
    usual: int  # units of time for which a frame is shown of which nothing else is known


class _Writer:
    """Encodes frames into an open container."""

    def __init__(self, container: Any, settings: _Settings) -> None:
        self._av: Any = optional("av", "video")
        self._container, self._settings = container, settings
        self._reformatter = self._av.video.reformatter.VideoReformatter()
        self._stream: Any = None
        self._begun: int | None = None
        self._usual = settings.usual
        self._lasting: dict[int, int] = {}  # of the frames that the encoder still holds, by when they begin

    def add(self, pixels: UInt8[np.ndarray, "h w 3"], tick: int) -> None:
        """Encode one frame, which is shown from `tick` on."""
        pixels = even(pixels)
        if self._stream is None:
            self._stream = self._opened(pixels.shape[0], pixels.shape[1])
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame = self._reformatter.reformat(
            frame, self._stream.width, self._stream.height, "yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG",
            interpolation="AREA" if self._stream.height < pixels.shape[0] else "BILINEAR",
        )  # fmt: skip
        frame.pts, frame.time_base = tick, Fraction(1, TICKS)
        if self._begun is not None:
            self._usual = self._lasting[self._begun] = tick - self._begun
        self._begun, self._lasting[tick] = tick, self._usual
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds; the last frame is shown as long as the one before."""
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = self._lasting.pop(packet.pts, self._usual)
            self._container.mux(packet)

    def _opened(self, height: int, width: int) -> Any:
        asked = self._settings
        scale = min(1.0, asked.longest / max(height, width))
        stream = self._container.add_stream(asked.encoder, rate=25)
        stream.width, stream.height = (max(2, 2 * round(side * scale / 2)) for side in (width, height))
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, TICKS)
        if asked.encoder == "libx264":
            context.options = {"crf": str(asked.quality), "preset": "veryfast", "bf": "0"}
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16 to 235
        return stream


def even(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Return pixels of even height and width; a row and a column that are missing repeat the edge."""
    missing = pixels.shape[0] % 2, pixels.shape[1] % 2
    if not any(missing):
        return np.ascontiguousarray(pixels)
    return np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
