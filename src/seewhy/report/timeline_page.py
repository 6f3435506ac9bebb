"""A clip's timeline as one HTML file: is time used, which frames matter, when was it decided."""

from typing import Any

from PIL import Image

from seewhy.evaluation import time_tests as tests
from seewhy.evaluation.time_tests import Figure, TimeTests
from seewhy.evaluation.timeline import Timeline, is_missed
from seewhy.render.bar import figures
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.report.axis import axis
from seewhy.report.sheet import kept, sheet
from seewhy.report.timeline_chart import frame_chart, prefix_chart, strip_frames

CREED = (
    "Hiding a frame says what the network misses without it, not what the frame shows; a frame that repeats the one before is missed by nobody.",
    "The verdict is about this network on these clips: another clip may need order where this one does not.",
)
ROUNDING = 1e-6
"""Values smaller than this, beside the largest, are rounding."""
ICONS = {tests.IMAGE: "fails", tests.SEVERAL: "passes", tests.ORDER: "passes", tests.UNDECIDED: "unclear"}
TESTS = (
    ("still", "best frame, shown all the time"),
    ("still_mean", "a frame at random, shown all the time"),
    ("alone", "best frame, alone in its place"),
    ("one_place", "foretold by one place in time"),
    ("shuffled", "stays as it is in other orders"),
    ("backward", "stays as it is backward"),
)


def timeline_page(found: Timeline, numbers: dict[str, Any], *, command: str = "") -> str:
    """Return the page.

    Args:
        found: the timeline.
        numbers: the same as plain values; they travel inside the page.
        command: makes the page again.
    """
    return sheet(
        "timeline",
        title=f"Timeline: {found.target}",
        subtitles=(kept(_asked(found)),),
        content={
            "tests": None if found.tests is None else verdict_card(found.tests),
            "chart": frame_chart(found),
            "strip": [(found.when(frame), _uri(found.sample.view(frame), 160)) for frame in strip_frames(found)],
            "agreement": _agreement(found),
            "best": (found.when(found.strongest), _uri(found.sample.view(found.strongest), 420))
            if is_missed(found.importance)
            else None,
            "unit": found.unit,
            "hiding": found.importance.hiding,
            "segments": _segments(found),
            "prefix": prefix_chart(found),
            "decision": _decision(found),
            "rows": _rows(found),
            "reading": _reading(found),
            "notes": found.notes,
        },
        numbers=numbers,
        cautions=[found.agreement.warning] if found.agreement.warning else [],
        creed=CREED,
        command=command,
        provenance=found.provenance,
    )


def verdict_card(found: TimeTests) -> dict[str, Any]:
    """Return the verdict and its figures, bars in percent of a scale from 0 to 100 %."""
    rows = [(words, getattr(found, name)) for name, words in TESTS]
    return {
        "icon": ICONS[found.verdict],
        "verdict": found.verdict,
        "line": kept(found.line),
        "rows": [_share(words, figure) for words, figure in rows if figure is not None],
        "stays": [(name, kept(f"{100 * share:.0f} %")) for name, share in found.stays.items()],
        "clips": len(found.clips),
    }


def _share(words: str, figure: Figure) -> dict[str, Any]:
    low, high = (min(1.0, max(0.0, end)) for end in (figure.low, figure.high))
    return {
        "words": words,
        "text": kept(f"{100 * figure.mean:.0f} %"),
        "width": round(100 * min(1.0, max(0.0, figure.mean)), 1),
        "low": round(100 * low, 1),
        "span": round(100 * (high - low), 1),
        "range": kept(f"{100 * figure.low:.0f} to {100 * figure.high:.0f} %") if figure.high > figure.low else "",
    }


def _asked(found: Timeline) -> str:
    length = "" if found.seconds is None else f", {found.seconds[0]:.2f} to {found.seconds[-1]:.2f} s of the source"
    return f"{found.name or 'a clip'} · score {figures(found.score)} {found.unit} · {found.frames} frames{length} · {found.cost}"


def _agreement(found: Timeline) -> str:
    agreed = found.agreement
    if agreed.value is None or agreed.chance is None:
        return agreed.warning or "Of a black box there is no gradient."
    chance = "under 0.001" if agreed.chance < 0.001 else f"{agreed.chance:.2g}"
    return f"Gradient and deletion agree by {agreed.value:.2f} (rank correlation over {agreed.frames} frames; chance of so much by accident: {chance})."


def _segments(found: Timeline) -> dict[str, Any] | None:
    shares = found.segments
    if shares is None:
        return None
    values = shares.values.tolist()
    scale = axis([0.0, *values], from_zero=False)
    zero, least = scale.percent(0.0), ROUNDING * max(map(abs, values))
    rows = [
        {
            "name": found.when(start) if stop == start + 1 else f"{found.when(start)} to {found.when(stop - 1)}",
            "left": min(zero, scale.percent(value)),
            "width": round(abs(scale.percent(value) - zero), 2),
            "side": "pos" if value >= 0 else "neg",
            "text": (f"{value:+.3g}" if abs(value) > least else "0") + (f" ± {error:.2g}" if error else ""),
        }
        for (start, stop), value, error in zip(shares.runs, values, shares.error.tolist(), strict=True)
    ]
    how = "exact" if shares.exact else "drawn at random, ± standard error"
    return {
        "rows": rows,
        "zero": zero,
        "sum": kept(
            f"Shapley values, {how}, from {shares.coalitions} passes; hidden by {shares.hiding}. They add up to {figures(shares.explained)} "
            f"{found.unit}, what all frames together add ({_missing(shares.residual, shares.explained)})."
        ),
    }


def _missing(residual: float, explained: float) -> str:
    return "exactly" if abs(residual) <= ROUNDING * abs(explained) else f"{figures(abs(residual))} are missing"


def _decision(found: Timeline) -> str:
    curve = found.prefix
    if curve is None:
        return ""
    if curve.decided is None or curve.classes is None:
        return f"After each frame: {curve.note}."
    if curve.decided == 0:
        return f"The class never changes: it is the same after the first frame. ({curve.note})"
    return f"Decided at {found.when(curve.decided)}: from there on the class is the same. ({curve.note})"


def _rows(found: Timeline) -> list[list[str]]:
    made = found.importance
    columns = [made.deletion.tolist()]
    columns += (
        [] if made.gradient is None or made.magnitude is None else [made.gradient.tolist(), made.magnitude.tolist()]
    )
    columns += [made.insertion.tolist()]
    columns += [] if found.prefix is None else [found.prefix.scores.tolist()]
    floors = [ROUNDING * max(map(abs, column)) for column in columns]
    return [
        [
            found.when(frame),
            *(
                figures(column[frame] if abs(column[frame]) > floor else 0.0)
                for column, floor in zip(columns, floors, strict=True)
            ),
        ]
        for frame in range(found.frames)
    ]


def _reading(found: Timeline) -> list[tuple[str, str]]:
    """Return what the words mean."""
    hidden = {
        "freeze": "the frame before stands in its place (for the first, the one after it)",
        "interpolate": "the middle of its neighbours stands in its place",
        "blur": "a blurred copy stands in its place",
    }[found.importance.hiding]
    return [
        ("hidden", f"a frame is taken away: {hidden}; above zero: the score falls without it"),
        (
            "gradient",
            "what a straight line through the clip foretells for the same change: gradient times the change, added up over the frame",
        ),
        (
            "share of the score",
            "of the distance from an empty clip of one colour; for classes in log-odds, as a probability near 1 hardly moves",
        ),
        (
            "verdict",
            f"an image model where one still keeps {100 * tests.SUFFICES:.0f} % and order plays no part; order is needed where at most "
            f"{100 * tests.LOST:.0f} % stay, and plays no part from {100 * tests.KEPT:.0f} % on: thresholds that were chosen",
        ),
    ]


def _uri(picture: Image.Image, long: int) -> str:
    small = picture.convert("RGB")
    small.thumbnail((long, long), Image.Resampling.LANCZOS)
    return data_uri(webp_bytes(small, 72), "image/webp")
