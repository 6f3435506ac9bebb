"""Every number of a clip's report as plain values, ready for JSON."""

from dataclasses import asdict
from typing import Any

from seewhy.report.clip import ClipReport, ClipTube
from seewhy.report.numbers import hide_test, plain

FORMAT = "seewhy-clip-1"
"""Name and version of the layout; a change that breaks readers raises the number."""


def clip_numbers(report: ClipReport) -> dict[str, Any]:
    """Return the report without its pictures: only dicts with string keys, lists, strings, finite numbers, None."""
    found: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "clip": _clip(report),
            "network": report.model,
            "method": report.method,
            "layer": report.layer,
            "source": report.source,
            "map": _map(report),
            "answer": report.answer,
            "score": report.score,
            "score_unit": report.score_unit,
            "probability": report.probability,
            "top": [asdict(answer) for answer in report.top],
            "importance": [float(value) for value in report.importance],
            "strongest_frames": report.reel.picked()[0][1],
            "tubes": [_tube(number, tube) for number, tube in enumerate(report.tubes, start=1)],
            "tubes_hold": report.held,
            "explained_by": None if report.margins is None else asdict(report.margins),
            "concentration": report.concentration,
            "hide_test": hide_test(report.hide_test) if report.hide_test else None,
            "outlined": report.outlined,
            "timeline": None if report.timeline is None else report.timeline.numbers(),
            "figures": report.figures,
            "coverage": report.covered,
            "cost": report.cost,
            "cautions": report.cautions,
            "command": report.command,
            "provenance": report.provenance,
        }
    )
    return found


def _clip(report: ClipReport) -> dict[str, Any]:
    reel = report.reel
    return {
        "name": report.name,
        "width": report.size[0],
        "height": report.size[1],
        "rate": report.rate,
        "seconds": None if reel.seconds is None else list(reel.seconds),
        "frames": list(reel.numbers),
    }


def _map(report: ClipReport) -> dict[str, Any]:
    reel = report.reel
    return {
        "shape": report.shapes,
        "signed": reel.signed,
        "unit": reel.unit,
        "limit": reel.limit,
        "normalization": reel.normalization,
    }


def _tube(number: int, tube: ClipTube) -> dict[str, Any]:
    return {
        "tube": number,
        "share": tube.share,
        "start": tube.start,
        "end": tube.end,
        "peak": tube.peak,
        "speed": tube.speed,
        "rows": [asdict(row) for row in tube.rows],
    }
