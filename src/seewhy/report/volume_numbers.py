"""Every number of a scan's report as plain values, ready for JSON."""

from dataclasses import asdict
from typing import Any

from seewhy.evaluation.scan_regions import Regions
from seewhy.report.numbers import hide_test, plain
from seewhy.report.volume import VolumeReport

FORMAT = "seewhy-scan-1"
"""Name and version of the layout; a change that breaks readers raises the number."""


def volume_numbers(report: VolumeReport) -> dict[str, Any]:
    """Return the report without its pictures as plain values, ready for JSON."""
    volume = report.volume
    found: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "scan": {
                "name": report.name,
                "kind": volume.kind,
                "unit": volume.unit,
                "shape": report.source_shape,
                "directions": report.directions if volume.oriented else None,
                "spacing_mm": _in_order(report) if volume.measured else None,
                "window": asdict(volume.shown),
            },
            "network": report.model,
            "input": report.seen,
            "method": report.method,
            "layer": report.layer,
            "source": report.source,
            "map": {
                "shape": report.shapes,
                "signed": report.signed,
                "unit": report.unit,
                "limit": report.limit,
                "normalization": report.normalization,
            },
            "answer": report.answer,
            "score": report.score,
            "score_unit": report.score_unit,
            "probability": report.probability,
            "top": [asdict(one) for one in report.top],
            "level": report.regions.level,
            "regions": [region_numbers(report.regions, at) for at in range(len(report.regions.rows))],
            "concentration": report.concentration,
            "hide_test": hide_test(report.hide_test) if report.hide_test else None,
            "figures": report.figures,
            "coverage": report.covered,
            "cost": report.cost,
            "cautions": report.cautions,
            "command": report.command,
            "provenance": report.provenance,
        }
    )
    return found


def _in_order(report: VolumeReport) -> list[float]:
    """Return the spacing in the order of the file's own axes."""
    axes = report.volume.turn(report.directions).axes
    return [report.volume.spacing[axis] for axis in axes]


def region_numbers(regions: Regions, at: int) -> dict[str, Any]:
    """Return one region as plain values."""
    return {"region": at + 1} | asdict(regions.rows[at])
