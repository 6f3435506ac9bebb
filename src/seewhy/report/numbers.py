"""Every number of a photo report as plain values, ready for JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float

from seewhy.report.photo import Answer, HideTest, PhotoReport

FORMAT = "seewhy-photo-1"
"""Name and version of the layout; a change that breaks readers raises the number."""


def numbers(report: PhotoReport) -> dict[str, Any]:
    """Return the report without its pictures: only dicts with string keys, lists, strings, finite numbers, None.

    A number that is not finite becomes None. Maps are summed up (extremes, evidence for and against, seen share);
    the maps themselves belong into an array file.
    """
    found: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "photo": {"name": report.name, "width": report.size[0], "height": report.size[1]},
            "network": report.model,
            "method": report.method,
            "layer": report.layer,
            "source": report.source,
            "map": {
                "signed": report.signed,
                "unit": report.unit,
                "limit": report.limit,
                "normalization": report.normalization,
            },
            "score_unit": report.score_unit,
            "chosen": report.chosen,
            "answers": [_answer(answer) for answer in report.answers],
            "top": [{"name": name, "probability": share} for name, share in report.top],
            "concentration": report.explained.concentration,
            "where": report.explained.where,
            "hide_test": hide_test(report.hide_test) if report.hide_test else None,
            "channels": [
                {"index": channel.index, "contribution": channel.contribution, "share": channel.share}
                for channel in report.channels
            ],
            "channels_share": report.channels_share,
            "figures": report.figures,
            "coverage": report.covered,
            "regions": [asdict(region) for region in report.regions],
            "cost": report.cost,
            "cautions": report.cautions,
            "command": report.command,
            "provenance": report.provenance,
        }
    )
    return found


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "score": answer.score,
        "probability": answer.probability,
        "concentration": answer.concentration,
        "where": answer.where,
        "map": _summary(answer.heatmap),
    }


def _summary(heatmap: Float[np.ndarray, "h w"]) -> dict[str, Any]:
    seen = heatmap[np.isfinite(heatmap)]
    return {
        "lowest": seen.min() if seen.size else None,
        "highest": seen.max() if seen.size else None,
        "mean": seen.mean() if seen.size else None,
        "seen_share": seen.size / heatmap.size,
    }


def hide_test(test: HideTest) -> dict[str, Any]:
    """Return the numbers of a hide test."""
    return {
        "before": test.before,
        "hidden": test.hidden,
        "controls": test.controls,
        "share": test.share,
        "unit": test.unit,
        "outcome": test.outcome,
        "sentence": test.sentence,
    }


def plain(value: Any) -> Any:
    """Return the value in the types that JSON knows; what has no such form becomes its text."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [plain(item) for item in sorted(value, key=str)]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, str | bool | int) else str(value)
