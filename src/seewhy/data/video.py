"""Video files: what they hold, and their frames one after the other, by PyAV. Clips are taken out of them in `seewhy.data.clips`."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from seewhy.data.moving import MOST_PIXELS, Draw, Moving, Shown, reduced
from seewhy.data.packets import Clock, Walk, by_order_of, walked
from seewhy.data.picture import check_file
from seewhy.data.turning import matrix_of, rotation_of, turned
from seewhy.errors import DataError, optional

ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp", ".ogv"}
)
"""Endings by which a video is known."""

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegvideo,mpegts,asf,flv,ogg,gif,apng,webp_pipe"
"""Formats that are read. Others, such as playlists, which name further files and addresses, are not tried."""


def is_video(path: Path) -> bool:
    """Say whether a file is a video, by its ending."""
    return path.suffix.lower() in ENDINGS


@dataclass(frozen=True)
class VideoFacts:
    """What a video file holds, found by walking through its packets, without decoding; its header is not trusted.

    Attributes:
        size: (h, w) of a frame, upright.
        frames: pictures in the file.
        stated: pictures that its header tells of; 0 where it tells nothing.
        rate: frames per second, measured between the first and the last one.
        seconds: from the first frame to the end of the last one.
        variable: whether the time from frame to frame changes.
        codec: name of the codec.
        rotation: degrees by which stored frames are turned counterclockwise to be upright: 0, 90, 180 or 270.
        pixel: width of a pixel over its height; frames keep their stored pixels, so circles are ellipses where it is not 1.
    """

    size: tuple[int, int]
    frames: int
    stated: int
    rate: float
    seconds: float
    variable: bool
    codec: str
    rotation: int
    pixel: float


class Frame(NamedTuple):
    """A frame of a video: its number, when it is shown in seconds from the first frame, and upright 8-bit RGB pixels (h, w, 3)."""

    number: int
    seconds: float
    pixels: UInt8[np.ndarray, "h w 3"]


def facts(path: str | Path) -> VideoFacts:
    """Return what a video file holds; it takes milliseconds, and one decoded frame.

    Raises:
        DataError: not a video that can be read, or one without frames.
        MissingExtra: the package `av` is not installed.
    """
    return VideoFile(Path(path)).facts()


def frames_of(path: str | Path, wanted: Collection[int] | None = None, longest: int | None = None) -> Iterator[Frame]:
    """Yield frames of a video in one pass of decoding, one at a time; the pass ends with the last one wanted.

    Args:
        path: a video file.
        wanted: numbers of frames; all if None. Only these are converted to RGB.
        longest: longer side at most, in pixels; larger frames are made smaller while they are converted.

    Raises:
        DataError: not a video that can be read.
        MissingExtra: the package `av` is not installed.
    """
    last = None if wanted is None else max(wanted, default=-1)
    if last is not None and last < 0:
        return
    for shown in VideoFile(Path(path)).shown():
        if wanted is None or shown.number in wanted:
            yield Frame(shown.number, shown.seconds, shown.draw(longest))
        if shown.number == last:
            return


class VideoFile(Moving):
    """A video file. Each call of `shown` decodes it once, a few frames at a time; a damaged packet costs its frames, not the file.

    Args:
        path: the file.

    Raises:
        DataError: no such file, or an empty one.
        MissingExtra: the package `av` is not installed.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.name)
        self._av: Any = optional("av", "video")
        check_file(path, "a video")
        self._path = path
        self._seen, self._damaged = 0, 0
        self._reformatter = self._av.video.reformatter.VideoReformatter()

    def facts(self) -> VideoFacts:
        """Return what the file holds."""
        walk = self._walk
        first = next(iter(self.shown()))
        height, width = first.draw(None).shape[:2]
        gaps = np.diff(walk.times)
        passed = walk.times[-1]
        usual = float(np.median(gaps)) if len(gaps) else 1 / walk.rate
        return VideoFacts(
            size=(height, width),
            frames=len(walk.times),
            stated=walk.stated,
            rate=len(gaps) / passed if passed else walk.rate,
            seconds=passed + (walk.lasting or usual),
            variable=bool(len(gaps)) and float(np.abs(gaps - usual).max()) > 0.1 * usual,
            codec=walk.codec,
            rotation=self._rotation(),
            pixel=walk.pixel,
        )

    def _rotation(self) -> int:
        """Return by how many degrees counterclockwise stored frames are turned; a mirror is none."""
        with self._opened() as (container, stream):
            matrix = matrix_of(next(self._decoded(container, stream)))
        return rotation_of(matrix)

    def times(self) -> Sequence[float]:
        """Return when each frame is shown, from the packets of the file."""
        return self._walk.times

    @property
    def rate(self) -> float:
        """Frames per second, as the header says."""
        return self._walk.rate

    def shown(self) -> Iterator[Shown]:
        """Decode the file once; what is broken in it is left out and remarked."""
        first = None
        with self._opened() as (container, stream):
            clock = Clock(stream, by_order_of(container))
            for number, frame in enumerate(self._decoded(container, stream)):
                first = first or frame
                yield Shown(number, clock.seconds(frame), self._draw(frame, (first.height, first.width)))
        if first is None:
            raise DataError(f"{self._path}: no frame in it can be decoded; it is broken or cut short")
        if self._seen < len(self._walk.times):
            self.remark(
                f"{self.name}: of {len(self._walk.times)} frames in it {len(self._walk.times) - self._seen} cannot be decoded"
            )

    def shown_from(self, start: float) -> Iterator[Shown]:
        """Decode from the last frame before `start` from which that is possible; from the beginning where the file does not allow it.

        A frame is then known by its time among those of all packets, so its number is the same as in a whole pass over a sound file.
        """
        walk = self._walk
        before = [key for key in walk.keys if (key - walk.ticks[0]) * walk.unit <= start] if walk.ticks else []
        begun = False
        if before and before[-1] > walk.ticks[0]:
            for shown in self._shown_behind(before[-1]):
                if not begun and shown.seconds > start:
                    break  # it led to a later place than was asked for
                begun = True
                yield shown
        if not begun:
            yield from self.shown()

    def _shown_behind(self, key: int) -> Iterator[Shown]:
        """Yield the frames from the one of this time on; those that come with it but are shown earlier may lack what they are made from."""
        ticks, first = self._walk.ticks, None
        with self._opened() as (container, stream):
            container.seek(key, stream=stream)
            for frame in self._decoded(container, stream):
                number = bisect_left(ticks, frame.pts) if frame.pts is not None and frame.pts >= key else len(ticks)
                if number == len(ticks) or ticks[number] != frame.pts:
                    continue
                first = first or frame
                seconds = (ticks[number] - ticks[0]) * self._walk.unit
                yield Shown(number, seconds, self._draw(frame, (first.height, first.width)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found broken so far: what is missing of the file is known after `times`, or a whole pass."""
        damaged = f"{self.name}: {self._damaged} of {self._seen} frames are damaged"
        return (*self._remarks, *([damaged] if self._damaged else []))

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        """Open the file, and yield it and its video stream; whatever FFmpeg raises becomes one `DataError`."""
        with (
            self._told(),
            self._av.open(
                str(self._path.absolute()),
                metadata_errors="replace",
                container_options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
            ) as container,
        ):
            yield container, self._stream(container)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (self._av.FFmpegError, OSError) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise DataError(f"{self._path}: {_unreadable(self._path)} ({said})") from error

    def _stream(self, container: Any) -> Any:
        """Return the stream of moving pictures, or raise `DataError` that says why there is none that can be decoded."""
        cover = self._av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & cover]
        if not streams:
            kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
            only = f", only {', '.join(kinds)}" if kinds else ""
            raise DataError(f"{self._path}: there are no moving pictures in it{only}")
        stream = streams[0]
        context = stream.codec_context
        if context is None or context.codec is None:
            raise DataError(
                f"{self._path}: there is no decoder for its codec in this build of av; convert it to H.264 (mp4)"
            )
        if context.width * context.height > MOST_PIXELS:
            raise DataError(
                f"{self._path}: its frames are said to be {context.width} x {context.height}; "
                f"at most {MOST_PIXELS // 10**6} million pixels are decoded"
            )
        context.options = {"max_pixels": str(MOST_PIXELS)}
        context.thread_count = 1  # with several, what a decoder makes of damaged frames differs from run to run
        return stream

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield frames as they are shown; packets that cannot be decoded are counted."""
        self._seen, self._damaged = 0, 0
        for packet in self._packets(container, stream):
            try:
                frames = stream.decode(packet)
            except self._av.EOFError:
                return
            except self._av.FFmpegError:
                continue  # how many frames that cost is known at the end
            for frame in frames:
                self._seen += 1
                self._damaged += bool(frame.is_corrupt)
                yield frame

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the packets of a stream, and what makes the decoder give its last frames; a file that breaks off ends there."""
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (self._av.FFmpegError, OSError):
                self.remark(f"{self.name} cannot be read to its end: it is damaged or cut short")
                yield None
                return
            if packet is None:
                return
            yield packet

    def _draw(self, frame: Any, size: tuple[int, int]) -> Draw:
        """Return what converts a frame; frames of another size than the first one's come to that size."""

        def draw(longest: int | None) -> UInt8[np.ndarray, "h w 3"]:
            height, width = reduced(size, longest)
            if (frame.height, frame.width) != size:
                self.remark(
                    f"the size of frames changes in {self.name}: all are shown at the first one's, {size[1]} x {size[0]}"
                )
            if (height, width) != size:
                self.remark(f"frames of {self.name} are made smaller: from {size[1]} x {size[0]} to {width} x {height}")
            how = "AREA" if height < frame.height else "BILINEAR"
            pixels = self._reformatter.reformat(frame, width, height, "rgb24", interpolation=how).to_ndarray()
            return turned(pixels, matrix_of(frame))

        return draw

    @cached_property
    def _walk(self) -> Walk:
        with self._opened() as (container, stream):
            found = walked(container, stream, self._packets(container, stream), self._path)
        if len(found.times) < found.stated:
            self.remark(
                f"{self.name}: the header tells of {found.stated} frames, and {len(found.times)} are there; it is damaged or cut short"
            )
        elif found.cut:
            self.remark(f"{self.name}: {found.cut}")
        return found


def _unreadable(path: Path) -> str:
    """Say why a file cannot be opened, from the bytes with which videos begin."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" or head[:4] in {b"RIFF", b"\x1a\x45\xdf\xa3", b"OggS", b"FLV\x01"}:
        return "it is broken or cut short: what tells where its frames lie is missing"
    return "not a video of a kind that is read (mp4, mov, avi, mkv, webm, mpeg, wmv, flv, ogv)"
