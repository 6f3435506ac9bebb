"""One photo, explained, as one HTML file that opens from disk and asks nothing of any network."""

from typing import Any

import numpy as np

from seewhy.render.bar import figures, percent
from seewhy.render.outline import contours
from seewhy.render.overlay import strongest_part
from seewhy.render.scene import around, drawing_size, resample
from seewhy.report.axis import axis
from seewhy.report.images import DETAILS, Detail, channel_uri, gradient, map_uri, path, photo_uri
from seewhy.report.numbers import numbers
from seewhy.report.photo import Answer, ChannelFinding, HideTest, PhotoReport
from seewhy.report.sheet import embedded, facts, kept, looks, rendered
from seewhy.report.words import alternative, answer_value, evidence, probability, quantity, region_words

LARGEST = 300_000
"""Bytes that a page stays under."""

CREED = "A heatmap shows where, not why, and one picture is no proof."
"""Said at the foot of every page whose cautions do not say it already."""

_UNITS = 1000  # length of the long side of the stage, in the coordinates of its lines


def page(report: PhotoReport) -> str:
    """Return the page of a report as HTML.

    The pictures are embedded at the finest detail with which the page stays under `LARGEST` bytes. With very many
    answers or channels even the coarsest may not fit; the page is then larger, never cut.
    """
    html = ""
    for detail in DETAILS:
        html = rendered("photo", _content(report, detail))
        if len(html.encode()) < LARGEST:
            break
    return html


def _content(report: PhotoReport, detail: Detail) -> dict[str, Any]:
    width, height = drawing_size(report.picture.size, _UNITS, _UNITS)
    return {
        "report": report,
        "creed": CREED,
        "chosen": report.answers[report.chosen],
        **looks("photo"),
        "data": embedded(numbers(report)),
        "photo": photo_uri(report.picture, detail.photo, detail.quality),
        "box": (width, height),
        "unseen": _unseen(report),
        "answers": [_answer(report, index, detail) for index in range(len(report.answers))],
        "rows": _rows(report),
        "gradient": gradient(signed=report.signed, limit=report.limit),
        "normalization": report.normalization,
        "regions": [kept(region_words(region)) for region in report.regions],
        "test": hide_rows(report.hide_test, detail) if report.hide_test else None,
        "channels": [_channel(report, channel, detail) for channel in report.channels],
        "provenance": facts(numbers(report)["provenance"]),
        "value": answer_value(report.answers[report.chosen], report.score_unit),
    }


def _answer(report: PhotoReport, index: int, detail: Detail) -> dict[str, Any]:
    """Return the map of one answer, the line on it, and the sentences that belong to it."""
    answer = report.answers[index]
    area = report.hide_test.area if report.hide_test and index == report.chosen else None
    values = resample(answer.heatmap, drawing_size(report.picture.size, 300, 300))
    loops = around(values, 0.2, area)
    what = "the area that the hide test blurs" if area is not None else strongest_part(values, 0.2)
    if not (values > 0).any() and area is None:
        line = ""
    else:
        line = f"Outlined: {what}." if loops else f"No outline: {what} is scattered in many small pieces."
    return {
        "name": answer.name,
        "map": map_uri(report, answer.heatmap, detail),
        "line": path(loops or [], values.shape, _UNITS),
        "alternative": alternative(report, index),
        "evidence": kept(evidence(report, index)),
        "outlined": kept(line),
    }


def _rows(report: PhotoReport) -> list[dict[str, Any]]:
    """Return what the network says: the top classes, and the explained answers that are not among them.

    A class of the top that has a map is matched by name and probability, since two classes may share a name.
    """
    left = dict(enumerate(report.answers))
    rows = []
    for name, share in report.top:
        fits = [index for index, answer in left.items() if answer.name == name and _near(answer, share)]
        if fits:
            left.pop(fits[0])
        rows.append(
            {"name": name, "share": share, "value": _short(probability(share)), "index": fits[0] if fits else None}
        )
    for index, answer in left.items():
        value = _short(answer_value(answer, report.score_unit).removeprefix("p = ").removeprefix("p "))
        rows.append({"name": answer.name, "share": answer.probability, "value": value, "index": index})
    return rows


def _short(text: str) -> str:
    """Return a value for a narrow column: "< 0.01" in place of "under 0.01"."""
    return text.replace("under ", "<\u00a0").replace("over ", ">\u00a0")


def _near(answer: Answer, share: float) -> bool:
    return answer.probability is not None and abs(answer.probability - share) < 1e-4


def hide_rows(test: HideTest, detail: Detail) -> dict[str, Any]:
    """Return the rows of dots of a hide test on one axis, for a template."""
    shown = axis([test.before, test.hidden, *test.controls], from_zero=test.unit == "probability")
    rows = [
        ("as it is", [test.before], quantity(test.before, test.unit), "before"),
        ("outlined area blurred", [test.hidden], quantity(test.hidden, test.unit), "hidden"),
    ]
    if test.controls:
        mean = quantity(float(np.mean(test.controls)), test.unit)
        rows.append((f"{len(test.controls)} other areas of this shape", list(test.controls), f"mean {mean}", "control"))
    words = [f"{label}: {value}" for label, _, value, _ in rows]
    small = photo_uri(test.hidden_picture, detail.thumbnail, detail.quality) if test.hidden_picture else None
    return {
        "rows": [(label, [shown.percent(value) for value in values], text, kind) for label, values, text, kind in rows],
        "ticks": [(shown.percent(tick), label) for tick, label in zip(shown.ticks, shown.labels, strict=True)],
        "words": f"{test.unit}: " + "; ".join(words),
        "picture": small,
    }


def _channel(report: PhotoReport, channel: ChannelFinding, detail: Detail) -> dict[str, Any]:
    sign = "+" if channel.contribution > 0 else ""
    return {
        "index": channel.index,
        "map": channel_uri(report, channel.heatmap, detail),
        "contribution": f"{sign}{figures(channel.contribution)} {report.score_unit}".strip(),
        "share": kept(percent(channel.share)),
    }


def _unseen(report: PhotoReport) -> str:
    """Return the parts that the network did not see, as the data of an SVG path."""
    values = resample(report.answers[report.chosen].heatmap, drawing_size(report.picture.size, 160, 160))
    return path(contours(np.isnan(values)), values.shape, _UNITS)
