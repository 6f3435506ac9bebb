"""The charts of a timeline, as places in a box and as pictures."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from seewhy.evaluation.timeline import Timeline
from seewhy.render.chart import GAP as CHART_GAP
from seewhy.render.chart import TEXT, Scale, captioned, sign_colours
from seewhy.render.curves import Line, curves
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, face, panel
from seewhy.report.axis import Axis, axis

WIDTH, GAP = 1000, 18
SHOWN = 16
"""Frames of the strip, at most."""
HIDDEN, FORETOLD, SO_FAR = "without the frame", "by gradient", "score so far"
KEY = round(max(face(TEXT - 2).getlength(name) for name in (HIDDEN, FORETOLD, SO_FAR))) + 60
"""Pixels that the chart of curves keeps for its key."""


def levels(up: Axis) -> list[tuple[float, str]]:
    """Return the lines of an axis that goes up, in percent from above, with their labels."""
    return [(round(100 - up.percent(tick), 2), label) for tick, label in zip(up.ticks, up.labels, strict=True)]


def frame_chart(found: Timeline) -> dict[str, Any]:
    """Return deletion as bars and gradient as a line, in percent of a box, one column for each frame."""
    deletion = found.deletion.tolist()
    gradient = None if found.gradient is None else found.gradient.tolist()
    up = axis([0.0, *deletion, *(gradient or [])], from_zero=False)
    zero, width = up.percent(0.0), 100 / found.frames
    bars = [
        {
            "x": round(frame * width + 0.15 * width, 3),
            "width": round(0.7 * width, 3),
            "y": round(100 - max(zero, up.percent(value)), 2),
            "height": round(abs(up.percent(value) - zero), 2),
            "side": "pos" if value >= 0 else "neg",
        }
        for frame, value in enumerate(deletion)
    ]
    return {
        "bars": bars,
        "line": None if gradient is None else _points(gradient, up),
        "levels": levels(up),
        "zero": round(100 - zero, 2),
    }


def prefix_chart(found: Timeline) -> dict[str, Any] | None:
    """Return the score after each frame as a line, and where the class was decided."""
    if found.prefix is None:
        return None
    scores = found.prefix.scores.tolist()
    up = axis(scores, from_zero=False)
    decided = found.prefix.decided
    return {
        "line": _points(scores, up),
        "levels": levels(up),
        "decided": None if decided is None else round(100 * decided / found.frames, 2),
    }


def _points(values: Sequence[float], up: Axis) -> str:
    """Return a line through the middle of each frame's column, in a box of 1000 x 1000."""
    step = 1000 / len(values)
    return " ".join(f"{(n + 0.5) * step:.1f},{1000 - 10 * up.percent(value):.1f}" for n, value in enumerate(values))


def strip_frames(found: Timeline) -> list[int]:
    """Return which frames the strip shows: all, or every second, third …"""
    return list(range(0, found.frames, -(-found.frames // SHOWN)))


def timeline_picture(found: Timeline) -> Image.Image:
    """Draw the verdict, the frames' numbers over the frames, segments and the score after each frame as one picture."""
    across = Scale(tuple((float(n), found.when(n)) for n in _ticks(found.frames)))
    title = captioned(Image.new("RGB", (WIDTH, 1), PAPER), WIDTH, f"{found.name or 'clip'}: {found.target}", ())
    verdict = panel([(found.verdict, 20, INK)] if found.verdict else [], WIDTH, GAP)
    warning = panel([(found.agreement.warning, 16, SOFT)] if found.agreement.warning else [], WIDTH, GAP)
    parts = [title, verdict, _importance(found, across), _strip(found), warning]
    parts += [] if found.prefix is None else [_prefix(found, across)]
    return stacked(parts, GAP)


def _ticks(frames: int) -> list[int]:
    step = -(-frames // 6)
    inner = [n for n in range(0, frames - 1, step) if frames - 1 - n > step / 2]
    return [*inner, frames - 1]


def _importance(found: Timeline, across: Scale) -> Image.Image:
    against, favour = sign_colours()
    values = found.deletion.tolist()
    lines = [_line(HIDDEN, values, favour)]
    if found.gradient is not None:
        lines.insert(0, _line(FORETOLD, found.gradient.tolist(), against, dashed=True))
    up = axis([0.0, *values, *(found.gradient.tolist() if found.gradient is not None else [])], from_zero=False)
    agreed = found.agreement.value
    note = "" if agreed is None else f"gradient and deletion: rank correlation {agreed:.2f} over {found.frames} frames"
    return curves(
        lines,
        across,
        _scale(up),
        labels=(
            "time in the source" if found.seconds else "frame",
            f"fall of the score without the frame ({found.unit})",
        ),
        width=WIDTH,
        notes=(note,),
    )


def _prefix(found: Timeline, across: Scale) -> Image.Image:
    if found.prefix is None:
        raise ValueError("the timeline has no prefix curve")
    scores = found.prefix.scores.tolist()
    _, favour = sign_colours()
    decided = "" if found.prefix.decided is None else f"the class is decided at {found.when(found.prefix.decided)}; "
    return curves(
        [_line(SO_FAR.ljust(len(HIDDEN)), scores, favour)],
        across,
        _scale(axis(scores, from_zero=False)),
        labels=("time in the source" if found.seconds else "frame", f"score after each frame ({found.unit})"),
        width=WIDTH,
        height=260,
        notes=(decided + found.prefix.note,),
    )


def _scale(up: Axis) -> Scale:
    return Scale(tuple(zip(up.ticks, up.labels, strict=True)))


def _line(name: str, values: list[float], colour: tuple[int, int, int], *, dashed: bool = False) -> Line:
    return Line(name, [float(n) for n in range(len(values))], values, values, values, colour, dashed)


def _strip(found: Timeline) -> Image.Image:
    """Draw frames side by side, each under its place on the curves above."""
    shown = strip_frames(found)
    left, right = 64, WIDTH - KEY - CHART_GAP
    step = (right - left) / (found.frames - 1)
    pictures = [found.sample.view(frame).convert("RGB") for frame in shown]
    side = max(2, round(step * (shown[1] - shown[0]) if len(shown) > 1 else right - left) - 2)
    height = max(1, round(side * pictures[0].height / pictures[0].width))
    strip = Image.new("RGB", (WIDTH, height), PAPER)
    for frame, picture in zip(shown, pictures, strict=True):
        place = round(left + frame * step - side / 2)
        strip.paste(picture.resize((side, height), Image.Resampling.LANCZOS), (place, 0))
    return strip
