"""Take clips out of videos, animations, folders of frames and arrays: spread evenly, by stride, between times, in overlapping windows."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import UInt8

from seewhy.core.clip import Clip
from seewhy.data.moving import Moving, Shown
from seewhy.data.opening import moving
from seewhy.errors import ConfigError, DataError

Short = Literal["error", "repeat", "loop"]
"""What is done where there are fewer frames than wanted: refused, the last one held, or begun anew."""

MOST_BYTES = 1 << 32
"""Bytes of pixels that one clip may have."""


def read_clip(
    source: Any,
    frames: int,
    stride: int | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    short: Short = "error",
    longest: int | None = None,
) -> Clip:
    """Return frames of a video, in one pass of decoding that ends with the last frame wanted.

    Args:
        source: path of a video, of an animation (GIF, WebP, APNG) or of a folder with numbered pictures; uint8 frames (t, h, w, 3),
            floating point ones (t, 3, h, w) from 0 to 1, a list of pictures; or what `seewhy.data.opening.moving` made of it.
        frames: how many.
        stride: how many frames of the video lie from one to the next, from the beginning (or `start`) on. None spreads them evenly: the
            middles of so many equal parts.
        start: in seconds from the first frame: frames shown earlier are left out.
        end: in seconds: frames shown then or later are left out.
        short: what is done where there are fewer frames than wanted.
        longest: longer side of a frame at most, in pixels; larger frames are made smaller while they are converted.

    Returns:
        A clip; `Clip.numbers` and `Clip.seconds` say which frames of the source they are, `Clip.notes` what was lost or made smaller.

    Raises:
        DataError: it cannot be read, it has fewer frames than wanted, or the clip would not fit into memory.
        MissingExtra: the package `av` is not installed.
    """
    _check(frames, stride, short, start, end)
    video = moving(source)
    if stride is None:
        taken = _spread(video, frames, (start, end), longest)
    else:
        taken = _by_stride(video, frames, stride, (start, end), longest)
    return _clip(video, _lengthened(video, taken, frames, short))


def windows(
    source: Any,
    frames: int,
    stride: int | None = None,
    step: int | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    short: Short = "error",
    longest: int | None = None,
) -> Iterator[Clip]:
    """Yield overlapping clips that together cover a video of any length, in one pass of decoding.

    A window begins `step` frames after the one before. The last one ends with the last frame, so it may begin earlier than that, and so
    every frame between the first and the last one lies within the span of a window. Memory holds the frames of one window, whatever
    the length of the video.

    Args:
        source: as in `read_clip`.
        frames: of each window: what the network takes.
        stride: how many frames of the video lie from one frame of a window to the next; None is 1.
        step: how many frames of the video lie from the beginning of a window to that of the next; None is half of what a window spans,
            rounded down to whole strides, so that windows share frames.
        start: in seconds: frames shown earlier are left out.
        end: in seconds: frames shown then or later are left out.
        short: what is done where the video is shorter than one window.
        longest: as in `read_clip`.

    Yields:
        Clips of `frames` frames, with numbers and seconds of the source. What was lost is in the notes of the last one.

    Raises:
        ConfigError: a step of more than a window spans, which would leave frames out.
        DataError: it cannot be read, or has fewer frames than one window spans.
    """
    plan = _Plan.of(frames, stride, step)
    _check(frames, stride, short, start, end)
    return _windows(moving(source), plan, (start, end), short, longest)


def window_count(count: int, frames: int, stride: int | None = None, step: int | None = None) -> int:
    """Return how many windows `windows` yields of so many frames."""
    plan = _Plan.of(frames, stride, step)
    return 1 if count <= plan.span else 1 + -(-(count - plan.span) // plan.step)


@dataclass(frozen=True)
class _Plan:
    """How windows lie: frames of each, frames of the video from one to the next, and from window to window."""

    frames: int
    stride: int
    step: int

    @classmethod
    def of(cls, frames: int, stride: int | None, step: int | None) -> "_Plan":
        stride = 1 if stride is None else stride
        step = max(1, frames // 2) * stride if step is None else step
        if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= frames * stride:
            raise ConfigError(
                f"windows of {frames} frames, {stride} apart, begin 1 to {frames * stride} frames after one another, got a step of {step!r}"
            )
        return cls(frames, stride, step)

    @property
    def span(self) -> int:
        """Frames of the video from a window's first to its last."""
        return (self.frames - 1) * self.stride + 1


class _Held:
    """A decoded frame that is converted at most once, however many windows it is in."""

    def __init__(self, shown: Shown, longest: int | None) -> None:
        self.number, self.seconds = shown.number, shown.seconds
        self._shown, self._longest = shown, longest
        self._pixels: UInt8[np.ndarray, "h w 3"] | None = None

    @property
    def pixels(self) -> UInt8[np.ndarray, "h w 3"]:
        """Upright RGB."""
        if self._pixels is None:
            self._pixels = self._shown.draw(self._longest)
        return self._pixels


def _windows(
    video: Moving, plan: _Plan, between: tuple[float | None, float | None], short: Short, longest: int | None
) -> Iterator[Clip]:
    """Yield windows. The last frames of one span are held, not yet converted; a window is made once its last frame is there."""
    held: deque[_Held] = deque(maxlen=plan.span)
    ended = plan.span  # position behind the last frame of the next window
    count = 0
    for shown in _between(video, *between):
        held.append(_Held(shown, longest))
        count += 1
        if count == ended:
            ended += plan.step
            yield _clip(video, list(held)[:: plan.stride])
    if count < plan.span:
        yield _clip(video, _lengthened(video, list(held)[:: plan.stride], plan.frames, short))
    elif ended - plan.step != count:
        yield _clip(video, list(held)[:: plan.stride])


def _between(video: Moving, start: float | None, end: float | None) -> Iterator[Shown]:
    """Yield the frames from `start` on and before `end`; what comes later is not decoded."""
    for frame in video.shown() if start is None else video.shown_from(start):
        if end is not None and frame.seconds >= end:
            return
        if start is None or frame.seconds >= start:
            yield frame


def _by_stride(
    video: Moving, frames: int, stride: int, between: tuple[float | None, float | None], longest: int | None
) -> list[_Held]:
    """Return every `stride`-th frame, so many at most."""
    taken: list[_Held] = []
    for position, shown in enumerate(_between(video, *between)):
        if position % stride == 0:
            taken.append(_converted(shown, longest, frames))
            if len(taken) == frames:
                break
    return taken


def _spread(video: Moving, frames: int, between: tuple[float | None, float | None], longest: int | None) -> list[_Held]:
    """Return the middles of so many equal parts; all frames where there are fewer.

    Where a damaged file gives fewer frames than it holds, the parts are those of the frames that it gave, which takes a second pass.
    """
    start, end = between
    times = video.times()
    for again in (False, True):
        first = 0 if start is None else bisect_left(times, start)
        last = len(times) if end is None else bisect_left(times, end)
        wanted = spread(last - first, frames)
        taken: list[_Held] = []
        seen: list[float] = []
        for shown in video.shown() if again or start is None else video.shown_from(start):
            seen.append(shown.seconds)
            if shown.number - first in wanted:
                taken.append(_converted(shown, longest, frames))
                if len(taken) == len(wanted):
                    return taken
        times = seen if start is None else [shown.seconds for shown in video.shown()]
    return taken


def spread(count: int, frames: int) -> tuple[int, ...]:
    """Return the middles of `frames` equal parts of `count` frames; each frame once where there are fewer."""
    if count < frames:
        return tuple(range(count))
    return tuple((2 * part + 1) * count // (2 * frames) for part in range(frames))


def _converted(shown: Shown, longest: int | None, frames: int) -> _Held:
    """Return a frame whose pixels are made now, so that the decoded one can go."""
    held = _Held(shown, longest)
    if held.pixels.nbytes * frames > MOST_BYTES:
        height, width = held.pixels.shape[:2]
        raise DataError(
            f"{frames} frames of {width} x {height} do not fit into {MOST_BYTES >> 30} GiB; take fewer, or smaller ones (longest=640)"
        )
    return held


def _lengthened(video: Moving, taken: list[_Held], frames: int, short: Short) -> list[_Held]:
    """Return as many frames as are wanted, or raise `DataError` that says how many there are."""
    count = len(taken)
    if count == frames:
        return taken
    if not count:
        raise DataError(f"{video.name}: there are no frames in the time that is asked for")
    if short == "error":
        lost = f" ({'; '.join(video.notes)})" if video.notes else ""
        raise DataError(
            f"{video.name}: {frames} frames are wanted, and there are {count}{lost}; frames may lie nearer together (a smaller "
            f"stride), or be lengthened: short='repeat' (--short repeat) holds the last one, short='loop' begins anew"
        )
    if short == "repeat":
        video.remark(f"only {count} of {frames} frames are there: the last one is repeated")
        return taken + [taken[-1]] * (frames - count)
    video.remark(f"only {count} of {frames} frames are there: they are looped")
    return [taken[place % count] for place in range(frames)]


def _clip(video: Moving, taken: list[_Held]) -> Clip:
    numbers = tuple(held.number for held in taken)
    seconds = tuple(held.seconds for held in taken)
    passed, frames = max(seconds) - min(seconds), max(numbers) - min(numbers)
    rate = frames / passed if passed > 0 else video.rate
    return Clip(np.stack([held.pixels for held in taken]), seconds, numbers, rate, video.notes)


def _check(frames: int, stride: int | None, short: Short, start: float | None, end: float | None) -> None:
    for name, value in (("frames", frames), ("stride", stride)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigError(f"{name} is a whole number of at least 1, got {value!r}")
    if short not in get_args(Short):
        raise ConfigError(f"short is {', '.join(map(repr, get_args(Short)))}, got {short!r}")
    if start is not None and end is not None and not start < end:
        raise ConfigError(f"start lies before end, got start={start:g} and end={end:g} seconds")
