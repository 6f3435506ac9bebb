"""Fidelity against size as a chart: the student, the random control, the area between them, the size that was chosen."""

from collections.abc import Sequence
from math import log
from typing import Any

from seewhy.contributions.table import Estimate
from seewhy.render.bar import figures
from seewhy.report.axis import Axis, axis
from seewhy.surrogates.frontier import Frontier, Point
from seewhy.surrogates.words import points, share

WIDE = 6.0
"""Times that the largest size is the smallest from which on steps of the axis are factors."""
CROWDED = 5.0
"""Percent of the width that two labels must lie apart."""


def frontier_chart(frontier: Frontier, accuracy: Estimate | None = None) -> dict[str, Any]:
    """Return the chart as the data of SVG shapes in a box of 1000 x 1000, labels beside it in percent, and all of it as rows.

    Args:
        frontier: what is drawn.
        accuracy: of the network, for a line beside it; none if None.
    """
    sizes = [point.size for point in frontier.points]
    values = [value for point in frontier.points for value in (point.fidelity, point.control)]
    up, places = axis([*values, 1.0], from_zero=False), across(sizes)
    taken = frontier.points[frontier.chosen]
    own = [(x, up.percent(point.fidelity)) for x, point in zip(places, frontier.points, strict=True)]
    control = [(x, up.percent(point.control)) for x, point in zip(places, frontier.points, strict=True)]
    return {
        "unit": frontier.unit,
        "own": _line(own),
        "dots": [(x, round(100 - y, 2)) for x, y in own],
        "control": _line(control),
        "between": _line([*own, *reversed(control)]),
        "ticks": _apart([(x, figures(size)) for x, size in zip(places, sizes, strict=True)]),
        "levels": _levels(up),
        "chosen": {
            "x": places[frontier.chosen],
            "y": round(100 - up.percent(taken.fidelity), 2),
            "text": f"chosen: {figures(taken.size)}",
            "side": "right" if places[frontier.chosen] > 60 else "left",
        },
        "rows": [_row(point) for point in frontier.points],
        "at": frontier.chosen,
    }


def across(sizes: Sequence[float]) -> list[float]:
    """Return where sizes lie from left to right, in percent; by factors where they range far."""
    low, high = sizes[0], sizes[-1]
    if high <= low:
        return [50.0] * len(sizes)
    if low > 0 and high / low >= WIDE:
        return [round(100 * log(size / low) / log(high / low), 2) for size in sizes]
    return [round(100 * (size - low) / (high - low), 2) for size in sizes]


def _line(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{10 * x:.1f},{1000 - 10 * y:.1f}" for x, y in places)


def _levels(up: Axis) -> list[tuple[float, str]]:
    return [(round(100 - up.percent(tick), 2), f"{100 * tick:.0f} %") for tick in up.ticks if tick <= 1 + 1e-9]


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return those labels that do not touch; the last one always."""
    kept: list[tuple[float, str]] = []
    for place, label in ticks:
        if not kept or place - kept[-1][0] >= CROWDED:
            kept.append((place, label))
    if kept and kept[-1] != ticks[-1] and ticks[-1][0] - kept[-1][0] < CROWDED:
        kept[-1] = ticks[-1]
    return kept


def _row(point: Point) -> tuple[str, ...]:
    accuracy = "" if point.accuracy is None else share(point.accuracy)
    gap = f"{points(point.gap.value)} ({100 * point.gap.low:+.1f} to {100 * point.gap.high:+.1f})"
    return figures(point.size), share(point.choose), share(point.fidelity), accuracy, share(point.control), gap
