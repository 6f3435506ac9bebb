"""A table of importance as one HTML file: what counts, how sure that is, whether the ranking holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from seewhy.contributions.table import Curve, Estimate, Importance, Level, Weight
from seewhy.core.sample import Sample
from seewhy.render.bar import figures
from seewhy.report import importance_words as words
from seewhy.report.axis import Axis, axis
from seewhy.report.images import gradient, photo_uri
from seewhy.report.importance_map import caption, strongest, weight_scene
from seewhy.report.importance_table import per_class
from seewhy.report.sheet import kept, sheet

MOST_ROWS = 200
"""Units that the page shows; the rest stands in the files of numbers."""

CREED = "Importance says what the network uses, not whether it should; and it holds for these pictures."

FIGURES = {
    "accuracy": "accuracy without it",
    "area": "share of the picture",
    "share": "share of the effect",
    "lift": "effect per area",
}
"""Other numbers that a unit may have, and what the column is called."""

WHOLE = {
    "accuracy": "right with nothing taken away",
    "accuracy with all gone": "right with all of them taken away",
    "score": "score with nothing taken away",
    "score with all gone": "score with all of them taken away",
}
"""Numbers about all units together."""


def importance_page(
    found: Importance,
    numbers: Mapping[str, Any],
    *,
    name: str = "",
    sample: Sample | None = None,
    command: str = "",
) -> str:
    """Return the page.

    Args:
        found: the table.
        numbers: the same as plain values; it travels inside the page.
        name: of the data.
        sample: for units of one photo, the photo.
        command: makes the page again.
    """
    shown = found.weights[:MOST_ROWS]
    return sheet(
        "importance",
        title=words.heading(found),
        subtitles=words.asked(found, name),
        content={
            "found": found,
            "one": words.ONE.get(found.kind, "unit"),
            "lines": [kept(line) for line in (words.first_line(found), words.explained_line(found)) if line],
            "outcome": words.outcome(found),
            "verdict": words.verdict(found),
            "check_line": kept(words.check_line(found)),
            "map": _map(found, sample) if sample is not None and found.places is not None else None,
            "columns": [_column(found, which, title, shown) for which, title in words.columns(found)],
            "sized": words.shows_size(found),
            "figures": [(key, _called(key, found.pictures)) for key in _figures(shown)],
            "rows": [_row(found, weight, rank) for rank, weight in enumerate(shown, 1)],
            "left": len(found.weights) - len(shown),
            "levels": _levels(shown),
            "curve": _chart(found.check.curves, found.check.measure) if found.check is not None else None,
            "table": per_class(found),
            "pairs": [(pair.first, pair.second, words.estimate_text(pair.score, found)) for pair in found.interactions],
            "reading": words.reading(found),
            "whole": [
                (WHOLE.get(key, key), words.figure_text(key, value, found.pictures))
                for key, value in found.figures.items()
            ],
        },
        numbers=numbers,
        cautions=_cautions(found),
        creed=(CREED,),
        command=command,
        provenance=found.provenance,
    )


def _map(found: Importance, sample: Sample) -> dict[str, Any]:
    """Return the photo with the weights in colour, and its scale."""
    end = strongest(found)
    return {
        "picture": photo_uri(weight_scene(found, sample), 900, 75),
        "gradient": gradient(signed=True, limit=end),
        "ends": (figures(-end), figures(end)),
        "caption": caption(found, sample),
    }


def _cautions(found: Importance) -> tuple[str, ...]:
    """Return what must be read first: a ranking that does not hold, and pictures that are left out."""
    lines = []
    if found.check is not None and words.outcome(found) != "passes":
        lines.append(kept(found.check.words))
    if found.broken:
        name, why = next(iter(found.broken.items()))
        count = len(found.broken)
        lines.append(
            f"{count} picture{'s' if count > 1 else ''} could not be read and {'are' if count > 1 else 'is'} left out, such as {name}: {why}"
        )
    return tuple(lines)


def _column(found: Importance, which: str, title: str, shown: Sequence[Weight]) -> dict[str, Any]:
    """Return one column of bars: its scale, and where each bar and interval lies on it, in percent."""
    effects = [words.effect(weight, which) for weight in shown]
    scale = axis([0.0, *(end for one in effects for end in (one.value, one.low, one.high))], from_zero=False)
    percents = found.kind == "attributes"
    ends = [
        words.signed_percent(tick) if percents else label for tick, label in zip(scale.ticks, scale.labels, strict=True)
    ]
    return {
        "which": which,
        "title": title,
        "ends": (ends[0], ends[-1]),
        "zero": scale.percent(0.0),
        "bars": [
            _bar(one, scale) | {"text": kept(words.estimate_text(one, found)), "value": one.value} for one in effects
        ],
    }


def _bar(one: Estimate, scale: Axis) -> dict[str, Any]:
    zero, end, low, high = (scale.percent(value) for value in (0.0, one.value, one.low, one.high))
    return {
        "left": min(zero, end),
        "width": round(abs(end - zero), 2),
        "low": low,
        "span": round(high - low, 2),
        "side": "pos" if one.value >= 0 else "neg",
    }


def _row(found: Importance, weight: Weight, rank: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "unit": weight.unit,
        "size": figures(weight.magnitude.value),
        "magnitude": weight.magnitude.value,
        "note": weight.note,
        "p": words.chance(weight.p),
        "chance": weight.p,
        "figures": {
            key: _divided(words.figure_text(key, value, found.pictures)) for key, value in weight.figures.items()
        },
        "sort": {key: value.value for key, value in weight.figures.items()},
    }


def _divided(text: str) -> tuple[str, str]:
    """Return a value and its interval, for two lines."""
    value, _, interval = text.partition(" (")
    return kept(value), interval.rstrip(")")


def _called(key: str, pictures: int) -> str:
    return "stays right" if key == "accuracy" and pictures == 1 else FIGURES.get(key, key)


def _figures(shown: Sequence[Weight]) -> list[str]:
    """Return which other numbers any of the units has."""
    return list(dict.fromkeys(key for weight in shown for key in weight.figures))


def _levels(shown: Sequence[Weight]) -> list[dict[str, Any]]:
    """Return the levels of each attribute with their gaps, all attributes on one scale."""
    every = [level for weight in shown for level in weight.levels]
    if not every:
        return []
    scale = axis(
        [0.0, *(end for level in every for end in (level.gap.value, level.gap.low, level.gap.high))], from_zero=False
    )
    return [
        {"unit": weight.unit, "zero": scale.percent(0.0), "rows": [_level(level, scale) for level in weight.levels]}
        for weight in shown
        if weight.levels
    ]


def _level(level: Level, scale: Axis) -> dict[str, Any]:
    text = f"{level.gap.value:+.2f} ({level.gap.low:+.2f} to {level.gap.high:+.2f})"
    return _bar(level.gap, scale) | {
        "name": level.name,
        "pictures": level.pictures,
        "text": text,
        "p": words.chance(level.p),
    }


def _chart(curves: Sequence[Curve], measure: str) -> dict[str, Any]:
    """Return the curves of the check as the data of SVG shapes in a box of 1000 x 1000, and the labels beside it in percent."""
    values = [end for curve in curves for one in curve.accuracy for end in (one.low, one.high)]
    up, count = axis(values, from_zero=True, most=8), max(curves[0].removed)
    across = axis([0.0, float(count)], from_zero=True)
    ticks = [
        (100 * tick / count, label) for tick, label in zip(across.ticks, across.labels, strict=True) if tick <= count
    ]
    if 100 - ticks[-1][0] > 8:
        ticks.append((100.0, str(count)))
    return {
        "measure": measure,
        "ticks": [(round(place, 2), label) for place, label in ticks],
        "levels": [(round(100 - up.percent(tick), 2), label) for tick, label in zip(up.ticks, up.labels, strict=True)],
        "lines": [_line(curve, up, count) for curve in reversed(curves)],
        "rows": [
            (
                gone,
                [f"{figures(curve.accuracy[place].value)} ({words.span(curve.accuracy[place])})" for curve in curves],
            )
            for place, gone in enumerate(curves[0].removed)
        ],
        "names": [curve.order for curve in curves],
        "areas": [f"{curve.area.value:.2f} ({words.span(curve.area)})" for curve in curves],
    }


def _line(curve: Curve, up: Axis, count: int) -> dict[str, Any]:
    def points(heights: Sequence[float]) -> list[str]:
        return [
            f"{1000 * gone / count:.1f},{1000 - 10 * up.percent(height):.1f}"
            for gone, height in zip(curve.removed, heights, strict=True)
        ]

    band = points([one.low for one in curve.accuracy]) + points([one.high for one in curve.accuracy])[::-1]
    kind = {"this ranking": "own", "random order": "chance"}.get(curve.order, "other")
    return {
        "name": curve.order,
        "kind": kind,
        "line": " ".join(points([one.value for one in curve.accuracy])),
        "band": " ".join(band),
    }
