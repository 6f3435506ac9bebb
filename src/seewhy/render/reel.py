"""A clip and its map as moving pictures: the frame, the map over it, and below them the curve of importance with a playhead."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from seewhy.errors import ShapeError
from seewhy.render.bar import bar, figures
from seewhy.render.contact import contact
from seewhy.render.movie import write_movie
from seewhy.render.preview import write_preview
from seewhy.render.scene import scene
from seewhy.render.text import INK, PAPER, SOFT, face, legible, line_height, shortened

ACCENT = (166, 60, 11)
NARROWEST = 560
"""Least width of a moving picture in pixels."""
SLOWEST_GAP = 0.5
"""Longest time that one frame stays, in seconds; where frames lie further apart in the video, they are shown faster."""
SHORTEST = 4.0
"""Shortest time, in seconds, that all frames take; a shorter clip is shown slower."""
_GAP = 8
_TEXT = 15
_CHART = 92
_FINE = 3


@dataclass(frozen=True, eq=False)
class Reel:
    """What is drawn of a clip. One scale holds for all its frames.

    Attributes:
        frames: pictures (t, h, w, 3), all at the size at which they are drawn.
        maps: evidence on them (t, h, w); NaN where the network saw nothing.
        seconds: when each frame is shown in its video; None where that is not known.
        numbers: its number there.
        importance: one number per frame, drawn as the curve.
        signed: negative values are evidence against.
        limit: value at the end of the colour scale, of all frames.
        title: line above.
        unit: of the map's values.
        normalization: what the end of the scale is, in words.
        about: what the curve is, in words.
        areas: places with a line around them (t, h, w), such as tubes.
    """

    frames: UInt8[np.ndarray, "t h w 3"]
    maps: Float[np.ndarray, "t h w"]
    seconds: Sequence[float] | None
    numbers: Sequence[int]
    importance: Float[np.ndarray, " t"]
    signed: bool
    limit: float
    title: str = ""
    unit: str = ""
    normalization: str = "the largest of the whole clip"
    about: str = "sum of the map in each frame"
    areas: Bool[np.ndarray, "t h w"] | None = None

    def __post_init__(self) -> None:
        count = len(self.frames)
        lengths = {len(self.maps), len(self.times), len(self.numbers), len(self.importance)}
        if lengths != {count} or self.frames.shape[:3] != self.maps.shape:
            raise ShapeError(
                f"{count} frames of {self.frames.shape[1:3]} need as many maps of that size, times, numbers and values; "
                f"got maps {self.maps.shape}, {len(self.times)} times, {len(self.numbers)} numbers, {len(self.importance)} values"
            )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def times(self) -> Sequence[float]:
        """When each frame is shown; its place in the row where that is not known."""
        return range(len(self)) if self.seconds is None else self.seconds

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame as it is drawn."""
        return self.frames.shape[2], self.frames.shape[1]

    @property
    def gap(self) -> float:
        """Seconds from one frame to the next in the video, on average."""
        return (self.times[-1] - self.times[0]) / max(1, len(self) - 1)

    @property
    def speed(self) -> float:
        """How many times as fast as the video the frames are shown: 1 wherever that can be watched."""
        gap = self.gap
        if gap <= 0:
            return 1.0
        wanted = max(min(gap, SLOWEST_GAP), min(SLOWEST_GAP, SHORTEST / len(self)))
        return gap / wanted

    @property
    def shown_at(self) -> list[float]:
        """When each frame is shown in the moving picture, in seconds from its beginning; at an even pace where times do not grow."""
        times, speed = self.times, self.speed
        if all(later > earlier for earlier, later in pairwise(times)):
            return [(time - times[0]) / speed for time in times]
        return [number * min(SLOWEST_GAP, SHORTEST / len(self)) for number in range(len(self))]

    def original(self, frame: int) -> Image.Image:
        """Return one frame."""
        return Image.fromarray(self.frames[frame])

    def overlaid(self, frame: int) -> Image.Image:
        """Draw the map over one frame in grey."""
        area = None if self.areas is None or not self.areas[frame].any() else self.areas[frame]
        return scene(
            self.original(frame),
            self.maps[frame],
            self.size,
            signed=self.signed,
            limit=self.limit,
            outline=None,
            area=area,
        )

    def stamp(self, frame: int) -> str:
        """Return when a frame is shown, in words."""
        return self._word(frame) + (f", frame {self.numbers[frame]}" if self.seconds is not None else "")

    def _word(self, frame: int) -> str:
        return f"frame {self.numbers[frame]}" if self.seconds is None else f"{self.seconds[frame]:.2f} s"

    def images(self) -> Iterator[Image.Image]:
        """Yield the moving pictures one by one: frame and map side by side, curve and playhead below, all of one size."""
        head, foot = self._head, self._foot
        height = head.height + self.size[1] + 2 * _GAP + self._curve.height + foot.height
        left = (self.width - 2 * self.size[0] - _GAP) // 2
        for frame in range(len(self)):
            whole = Image.new("RGB", (self.width, height), PAPER)
            whole.paste(head, (0, 0))
            top = head.height
            whole.paste(self.original(frame), (left, top))
            whole.paste(self.overlaid(frame), (left + self.size[0] + _GAP, top))
            top += self.size[1] + _GAP
            whole.paste(self.curve(frame), (0, top))
            whole.paste(foot, (0, top + self._curve.height + _GAP))
            yield whole

    @property
    def width(self) -> int:
        """Width of a moving picture."""
        return max(NARROWEST, 2 * self.size[0] + _GAP)

    def playhead(self, frame: int) -> float:
        """Return where the playhead stands at a frame: x in pixels of the curve's picture."""
        first, last = self.times[0], self.times[-1]
        share = (self.times[frame] - first) / (last - first) if last > first else 0.0
        return self._inset + share * (self.width - 2 * self._inset)

    def curve(self, frame: int) -> Image.Image:
        """Draw the curve of importance with the playhead at a frame."""
        drawn = self._curve.copy()
        pen, x, y = ImageDraw.Draw(drawn), self.playhead(frame), self._height(float(self.importance[frame]))
        font = face(_TEXT)
        pen.line([(x, line_height(font)), (x, _CHART)], fill=INK, width=2)
        pen.ellipse([x - 5, y - 5, x + 5, y + 5], fill=ACCENT, outline=PAPER, width=2)
        text = f"{self.stamp(frame)}: {figures(float(self.importance[frame]))}"
        half = font.getlength(text) / 2
        pen.text((min(max(x, half + 4), self.width - half - 4), 0), text, fill=INK, font=font, anchor="ma")
        return drawn

    def sheet(
        self, groups: Sequence[tuple[str, Sequence[int]]], *, notes: Sequence[str] = (), cell: int = 240
    ) -> Image.Image:
        """Draw frames with their maps on one sheet, one scale for all.

        Args:
            groups: frames, each with what it is: ("strongest", [7, 3]).
            notes: lines at the foot.
            cell: longer side in pixels of a picture.
        """
        cells = [
            (
                self.overlaid(frame),
                (f"{name}: {self.stamp(frame)}", figures(float(self.importance[frame]))),
            )
            for name, frames in groups
            for frame in frames
        ]
        shrink = min(1.0, cell / max(self.size))
        size = (max(1, round(self.size[0] * shrink)), max(1, round(self.size[1] * shrink)))
        columns = min(max(len(frames) for _, frames in groups), 8)
        width = max(420, columns * (size[0] + 14) + 14)
        scale = bar(width, 14, signed=self.signed, limit=self.limit, notes=(self._scale_words,))
        return contact(
            cells,
            columns=columns,
            cell=size,
            title=self.title,
            foot=scale,
            notes=(f"number under a frame: {self.about}{f' ({self.unit})' if self.unit else ''}", *notes),
        )

    def picked(self, strongest: int = 6, evenly: int = 6) -> list[tuple[str, list[int]]]:
        """Return frames for a sheet: the strongest ones, strongest first, and ones that lie evenly over the clip, so that the rest can be judged too."""
        groups = [
            ("strongest", strongest_frames(self.importance, min(strongest, len(self)))),
            ("evenly", uniform_frames(len(self), evenly)),
        ]
        return [group for group in groups if group[1]]

    @property
    def _scale_words(self) -> str:
        return f"evidence{f' ({self.unit})' if self.unit else ''}; the scale ends at {self.normalization}"

    @property
    def _inset(self) -> int:
        return 12

    @cached_property
    def _head(self) -> Image.Image:
        font = face(_TEXT * 6 // 5, self.title)
        head = Image.new("RGB", (self.width, line_height(font) + 2 * _GAP), PAPER)
        ImageDraw.Draw(head).text(
            (_GAP, _GAP), shortened(legible(self.title, font), font, self.width - 2 * _GAP), fill=INK, font=font
        )
        return head

    @cached_property
    def _foot(self) -> Image.Image:
        notes = (self._scale_words, *self._pace)
        return bar(self.width, 13, signed=self.signed, limit=self.limit, notes=notes)

    @property
    def _pace(self) -> tuple[str, ...]:
        speed = self.speed
        if self.seconds is None or abs(speed - 1) < 0.05:
            return ()
        return (
            f"shown {figures(speed)} times as fast as the video"
            if speed > 1
            else f"shown at {figures(speed)} of the video's speed",
        )

    def _height(self, value: float) -> float:
        """Return where a value of the curve lies, in pixels from the top of its picture."""
        low, high = min(0.0, float(self.importance.min())), max(0.0, float(self.importance.max()))
        top = line_height(face(_TEXT)) + 8
        share = (value - low) / (high - low) if high > low else 0.0
        return _CHART - 6 - share * (_CHART - 6 - top)

    @cached_property
    def _curve(self) -> Image.Image:
        """The curve without its playhead, drawn larger and shrunk so that its edges are soft."""
        font = face(13)
        large = Image.new("RGB", (self.width * _FINE, _CHART * _FINE), PAPER)
        pen, zero = ImageDraw.Draw(large), self._height(0.0) * _FINE
        points = [
            (self.playhead(frame) * _FINE, self._height(float(value)) * _FINE)
            for frame, value in enumerate(self.importance)
        ]
        if len(points) > 1:
            pen.polygon([(points[0][0], zero), *points, (points[-1][0], zero)], fill=(246, 223, 208))
            pen.line(points, fill=ACCENT, width=2 * _FINE, joint="curve")
        pen.line([(self._inset * _FINE, zero), ((self.width - self._inset) * _FINE, zero)], fill=SOFT, width=_FINE)
        whole = Image.new("RGB", (self.width, _CHART + line_height(font) + 2), PAPER)
        whole.paste(large.resize((self.width, _CHART), Image.Resampling.LANCZOS), (0, 0))
        pen = ImageDraw.Draw(whole)
        ends = (self._word(0), self.about, self._word(len(self) - 1))
        for text, x, anchor in zip(
            ends, (self._inset, self.width / 2, self.width - self._inset), ("la", "ma", "ra"), strict=True
        ):
            pen.text((x, _CHART), text, fill=SOFT, font=font, anchor=anchor)
        return whole


def write_reel(path: str | PathLike[str], reel: Reel, *, force: bool = False) -> Path:
    """Write the moving pictures of a clip: `.mp4` as a movie (H.264), `.webp` or `.gif` as a preview of at most 2 MB.

    Raises:
        DataError: the file exists, or cannot be written.
        MissingExtra: a movie, and the package `av` is not installed.
    """
    if Path(path).suffix.lower() == ".mp4":
        return write_movie(path, reel.images(), seconds=reel.shown_at, force=force)
    return write_preview(path, reel.images(), seconds=reel.shown_at, longest=640, force=force)


def strongest_frames(importance: Float[np.ndarray, " t"], count: int) -> list[int]:
    """Return the frames with the largest importance, for or against, strongest first, the earlier of equals first."""
    return [int(frame) for frame in np.argsort(-np.abs(importance), kind="stable")[:count]]


def uniform_frames(length: int, count: int) -> list[int]:
    """Return frames that lie evenly over a clip, first and last among them where there are at least two."""
    return sorted({round(place) for place in np.linspace(0, length - 1, min(count, length)).tolist()})
