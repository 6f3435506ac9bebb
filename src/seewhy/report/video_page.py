"""The part of a clip's page that tells of the whole video: scores of its windows, evidence over time, the strongest windows."""

from itertools import pairwise
from typing import Any

from PIL import Image

from seewhy.render.bar import figures, percent
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.render.overlay import stacked
from seewhy.render.scene import drawing_size
from seewhy.report.axis import axis
from seewhy.report.clip import ClipReport
from seewhy.report.clip_words import when_words
from seewhy.report.sheet import kept
from seewhy.report.video import VideoReport, Window
from seewhy.report.words import probability

_UNITS, _CHART = 1000, 150
MOST_POINTS = 600
"""A curve over the whole video has at most so many points; of more, the largest of each stretch is drawn."""


def whole_video(report: VideoReport) -> dict[str, Any]:
    """Return what the page's template shows of the whole video."""
    first, last = report.windows[0].start, report.windows[-1].end
    classes = report.windows[0].probability is not None
    values = [window.score if window.probability is None else window.probability for window in report.windows]
    times = [(window.start + window.end) / 2 for window in report.windows]
    fused = report.fused
    return {
        "count": len(report.windows),
        "covered": kept(percent(report.covered)),
        "explained": report.explained,
        "charts": [
            _curve(
                f"{'probability' if classes else report.unit} of {report.answer} in each window",
                times,
                values,
                (first, last),
                top=1.0 if classes else None,
            ),
            _curve(
                f"evidence in each frame, {report.best.reel.unit}",
                list(fused.seconds),
                fused.importance.tolist(),
                (first, last),
            ),
        ],
        "shaded": [_shade(report.windows[number], (first, last)) for number, _ in report.strongest],
        "ticks": _ticks(first, last),
        "rows": [_row(report.windows[number], clip) for number, clip in report.strongest],
    }


def video_sheet(report: VideoReport) -> Image.Image:
    """Draw the strongest frames of each of the strongest windows, and evenly spread ones of the first, on one scale."""
    parts: list[Image.Image | None] = []
    for place, (number, clip) in enumerate(report.strongest):
        window = report.windows[number]
        notes = (
            f"window {number + 1} of {len(report.windows)}, {window.start:.2f} to {window.end:.2f} s: {_score(window)}",
            when_words(clip),
        )
        parts.append(clip.reel.sheet(clip.reel.picked(6, 6 if place == 0 else 0), notes=notes))
    return stacked(parts, 20)


def _score(window: Window) -> str:
    return figures(window.score) if window.probability is None else f"p = {probability(window.probability)}"


def _row(window: Window, clip: ClipReport) -> dict[str, Any]:
    frame = clip.reel.picked(1, 0)[0][1][0]
    small = clip.reel.overlaid(frame).resize(drawing_size(clip.reel.size, 1, 220), Image.Resampling.LANCZOS)
    return {
        "when": f"{window.start:.2f} to {window.end:.2f} s",
        "score": _score(window),
        "strongest": clip.reel.stamp(frame),
        "picture": data_uri(webp_bytes(small, 70), "image/webp"),
        "test": "not run" if clip.hide_test is None else clip.hide_test.outcome,
    }


def _curve(
    name: str, times: list[float], values: list[float], ends: tuple[float, float], top: float | None = None
) -> dict[str, Any]:
    times, values = _thinned(times, values)
    low, high = min(0.0, *values), max(0.0, *values) if top is None else top
    height, length = (high - low) or 1.0, (ends[1] - ends[0]) or 1.0
    points = [
        f"{_UNITS * (time - ends[0]) / length:.1f} {_CHART * (1 - (value - low) / height):.1f}"
        for time, value in zip(times, values, strict=True)
    ]
    zero = round(_CHART * (1 + low / height), 1)
    line = " ".join(points)
    start, end = points[0].split()[0], points[-1].split()[0]
    return {
        "name": name,
        "line": f"M{line}",
        "fill": f"M{start} {zero} {line} {end} {zero}Z",
        "zero": zero,
        "height": _CHART,
        "range": f"{figures(low)} to {figures(high)}",
    }


def _thinned(times: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    """Return at most `MOST_POINTS` points: of each stretch the one with the largest magnitude."""
    if len(values) <= MOST_POINTS:
        return times, values
    edges = [len(values) * place // MOST_POINTS for place in range(MOST_POINTS + 1)]
    kept_places = [max(range(a, b), key=lambda place: abs(values[place])) for a, b in pairwise(edges)]
    return [times[place] for place in kept_places], [values[place] for place in kept_places]


def _shade(window: Window, ends: tuple[float, float]) -> tuple[float, float]:
    length = (ends[1] - ends[0]) or 1.0
    return round(100 * (window.start - ends[0]) / length, 2), round(
        max(0.3, 100 * (window.end - window.start) / length), 2
    )


def _ticks(first: float, last: float) -> list[tuple[float, str]]:
    length = (last - first) or 1.0
    ends = axis([first, last], from_zero=False, most=9)
    placed = [
        (round(100 * (tick - first) / length, 2), label) for tick, label in zip(ends.ticks, ends.labels, strict=True)
    ]
    return [(place, label) for place, label in placed if 0 <= place <= 97]
