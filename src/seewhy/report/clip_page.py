"""One clip, explained, as one HTML file that plays by itself and asks nothing of any network."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from seewhy.render.bar import figures, percent
from seewhy.render.colors import colorize
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.render.outline import contours
from seewhy.render.scene import around_area, drawing_size, resample
from seewhy.report.axis import axis
from seewhy.report.clip import ClipReport, ClipTube
from seewhy.report.clip_numbers import clip_numbers
from seewhy.report.clip_words import answer_words, frame_words, margins_words, moment, time_words, when_words
from seewhy.report.images import DETAILS, gradient, path
from seewhy.report.page import CREED, hide_rows
from seewhy.report.sheet import kept, sheet

LARGEST = 2_000_000
"""Bytes that a page stays under."""
LARGEST_MOVIE = 900_000
"""Bytes of a movie that is put into the page; a larger one stays a file of its own."""
_UNITS = 1000
_CHART = 150


@dataclass(frozen=True)
class _Detail:
    """Long sides in pixels of frames, maps and small frames, and WebP quality."""

    frame: int
    map: int
    small: int
    quality: int


_DETAILS = (
    _Detail(400, 256, 128, 72),
    _Detail(360, 192, 112, 55),
    _Detail(300, 144, 96, 40),
    _Detail(220, 112, 72, 28),
    _Detail(160, 80, 56, 18),
)


def clip_page(
    report: ClipReport,
    movie: bytes = b"",
    *,
    whole: dict[str, Any] | None = None,
    numbers: dict[str, Any] | None = None,
) -> str:
    """Return the page of a clip as HTML.

    Frames are embedded at the finest detail with which the page stays under `LARGEST` bytes; with very many frames even the coarsest may
    not fit, and the page is then larger, never cut.

    Args:
        report: the clip.
        movie: its movie as MP4, which is put into the page where it has at most `LARGEST_MOVIE` bytes.
        whole: of a window of a long video: what is shown of the whole; see `seewhy.report.video_page`.
        numbers: what travels inside the page; the clip's own if None.
    """
    html = ""
    for detail in _DETAILS:
        html = _rendered(report, detail, movie, whole, numbers)
        if len(html.encode()) < LARGEST:
            break
    return html


def _rendered(
    report: ClipReport, detail: _Detail, movie: bytes, whole: dict[str, Any] | None, numbers: dict[str, Any] | None
) -> str:
    shown = report.reel.picked()[0][1][0]
    return sheet(
        "clip",
        style="photo",
        title=f"Why “{report.answer}”? · {report.name}",
        content=_content(report, detail, shown) | {"movie": _movie(movie), "whole": whole},
        numbers=numbers or clip_numbers(report),
        cautions=report.cautions,
        creed=(CREED,),
        command=report.command,
        provenance=report.provenance,
    )


def _content(report: ClipReport, detail: _Detail, shown: int) -> dict[str, Any]:
    reel = report.reel
    width, height = drawing_size(reel.size, _UNITS, _UNITS)
    values = resample(reel.maps[shown], drawing_size(reel.size, 160, 160))
    return {
        "report": report,
        "value": answer_words(report),
        "shown": shown,
        "frames": [_frame(report, number, detail) for number in range(len(reel))],
        "unseen": path(contours(np.isnan(values)), values.shape, _UNITS),
        "box": (width, height),
        "charts": _charts(report),
        "ticks": _ticks(report),
        "gradient": gradient(signed=reel.signed, limit=reel.limit),
        "test": hide_rows(report.hide_test, DETAILS[0]) if report.hide_test else None,
        "tubes": [_tube(number, tube) for number, tube in enumerate(report.tubes, start=1)],
        "margins_words": kept(margins_words(report.margins)),
        "when": kept(when_words(report)),
        "time": [kept(line) for line in time_words(report)],
        "held": kept(percent(report.held)),
        "span": None if reel.seconds is None else f"{reel.seconds[0]:.2f} to {reel.seconds[-1]:.2f} s",
        "gap": round(1000 * reel.gap / reel.speed) if reel.gap else 250,
    }


def _movie(movie: bytes) -> str | None:
    return data_uri(movie, "video/mp4") if 0 < len(movie) <= LARGEST_MOVIE else None


def _frame(report: ClipReport, number: int, detail: _Detail) -> dict[str, Any]:
    """Return pictures, lines and words of one frame."""
    reel = report.reel
    photo = reel.original(number).resize(drawing_size(reel.size, 1, detail.frame), Image.Resampling.LANCZOS)
    values = resample(reel.maps[number], drawing_size(reel.size, 1, detail.map))
    heat = Image.fromarray(colorize(values, signed=reel.signed, limit=reel.limit, opacity=1.0))
    small = reel.overlaid(number).resize(drawing_size(reel.size, 1, detail.small), Image.Resampling.LANCZOS)
    area = None if reel.areas is None or not reel.areas[number].any() else reel.areas[number]
    size = drawing_size(reel.size, 1, 300)
    loops = [] if area is None else around_area(area, size) or []
    return {
        "photo": _webp(photo, detail.quality),
        "map": _webp(heat, detail.quality),
        "small": _webp(small, detail.quality),
        "line": path(loops, (size[1], size[0]), _UNITS),
        "stamp": reel.stamp(number),
        "moment": moment(report, number),
        "value": figures(float(report.importance[number])),
        "alternative": frame_words(report, number),
    }


def _webp(image: Image.Image, quality: int) -> str:
    return data_uri(webp_bytes(image, quality), "image/webp")


def _charts(report: ClipReport) -> list[dict[str, Any]]:
    """Return the curves over time: what the map holds of each frame, and what is lost without it."""
    unit = f", {report.reel.unit}" if report.reel.unit else ""
    charts = [_curve(report, f"importance: {report.reel.about}{unit}", [float(value) for value in report.importance])]
    if report.timeline is not None:
        lost = report.timeline.deletion.tolist()
        charts.append(_curve(report, f"lost without this frame, {report.timeline.unit}", lost))
    return charts


def _across(report: ClipReport) -> list[float]:
    """Return where each frame lies on the time axis, from 0 to 1."""
    times = report.reel.times
    length = (times[-1] - times[0]) or 1.0
    return [(time - times[0]) / length for time in times]


def _curve(report: ClipReport, name: str, values: list[float]) -> dict[str, Any]:
    """Return one curve as the data of SVG paths, and where each frame lies on it."""
    low, high = min(0.0, *values), max(0.0, *values)
    height = (high - low) or 1.0
    places = _across(report)
    up = [1 - (value - low) / height for value in values]
    zero = round(_CHART * (1 + low / height), 1)
    points = [f"{_UNITS * x:.1f} {_CHART * y:.1f}" for x, y in zip(places, up, strict=True)]
    line = " ".join(points)
    return {
        "name": name,
        "line": f"M{line}",
        "fill": f"M{_UNITS * places[0]:.1f} {zero} {line} {_UNITS * places[-1]:.1f} {zero}Z",
        "zero": zero,
        "height": _CHART,
        "points": [[round(100 * x, 2), round(100 * y, 2)] for x, y in zip(places, up, strict=True)],
        "values": [figures(value) for value in values],
        "range": f"{figures(low)} to {figures(high)}",
    }


def _ticks(report: ClipReport) -> list[tuple[float, str]]:
    """Return round times, and where they stand in percent."""
    times = report.reel.times
    length = (times[-1] - times[0]) or 1.0
    ends = axis([float(times[0]), float(times[-1])], from_zero=False, most=7)
    placed = [
        (round(100 * (tick - times[0]) / length, 2), label) for tick, label in zip(ends.ticks, ends.labels, strict=True)
    ]
    return [(place, label) for place, label in placed if 0 <= place <= 96]


def _tube(number: int, tube: ClipTube) -> dict[str, Any]:
    fullest = max(tube.rows, key=lambda row: row.mass)
    return {
        "number": number,
        "start": f"{tube.start:.2f}",
        "end": f"{tube.end:.2f}",
        "peak": f"{tube.peak:.2f}",
        "frame": fullest.frame,
        "share": kept(percent(tube.share)),
        "speed": "–" if tube.speed is None else figures(tube.speed),
        "box": _box(fullest.x, fullest.y, fullest.w, fullest.h),
        "rows": [
            (f"{row.t:.2f}", _box(row.x, row.y, row.w, row.h), kept(percent(row.mass)), row.frame) for row in tube.rows
        ],
    }


def _box(x: float, y: float, w: float, h: float) -> str:
    return f"{x:.0f}, {y:.0f}, {w:.0f} × {h:.0f}"
