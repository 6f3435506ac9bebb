"""All units of a layer on one page that is searched and sorted: one HTML file that asks nothing of any network."""

from typing import Any

from seewhy.render.bar import figures
from seewhy.report.atlas import Atlas, AtlasUnit, Row, atlas_numbers
from seewhy.report.images import photo_uri
from seewhy.report.sheet import sheet
from seewhy.report.unit import ClassWeight
from seewhy.report.unit_words import CREED

LARGEST = 15_000_000
"""Bytes that an atlas stays under; its pictures get coarser where there are many units."""
_QUALITIES = (72, 60, 48, 36, 24, 12)
_DETAILS = ((240, 112), (192, 96), (128, 72), (96, 56))
"""Side of a made picture and of a natural patch, in pixels."""


def detail(units: int) -> tuple[int, int]:
    """Return the sides of made pictures and of patches for an atlas of so many units."""
    return _DETAILS[sum(units > most for most in (24, 80, 200))]


def atlas_page(atlas: Atlas) -> str:
    """Return the page of an atlas as HTML, at the best quality with which it stays under `LARGEST` bytes."""
    html = ""
    for quality in _QUALITIES:
        html = _page(atlas, quality)
        if len(html.encode()) < LARGEST:
            break
    return html


def _page(atlas: Atlas, quality: int) -> str:
    done = f"{len(atlas.units)} of {atlas.of} units"
    over = f"{atlas.pictures} pictures of {atlas.data}" + (
        f", {atlas.ablated} without each unit" if atlas.ablated else ""
    )
    return sheet(
        "atlas",
        title=f"Units of {atlas.layer}",
        subtitles=(f"{atlas.model} · {done} · {over}",),
        cautions=atlas.cautions,
        creed=CREED,
        command=atlas.command,
        provenance=atlas.provenance,
        numbers=atlas_numbers(atlas),
        content={"atlas": atlas, "units": [_unit(unit, quality) for unit in atlas.units]},
    )


def _unit(unit: AtlasUnit, quality: int) -> dict[str, Any]:
    words = [*(one.name for one in unit.speaks_for), *(unit.top.names if unit.top else ())]
    weight = unit.importance
    return {
        "channel": unit.channel,
        "made": photo_uri(unit.made, max(unit.made.size), quality),
        "shape": (unit.made.width, unit.made.height),
        "values": ", ".join(figures(value) for value in unit.values),
        "top": _row(unit.top, quality),
        "strip": _row(unit.strip, quality),
        "dead": unit.constant is not None,
        "constant": "" if unit.constant is None else figures(unit.constant),
        "ratio": unit.reached.ratio,
        "reached": f"{figures(unit.reached.value)} made, {figures(unit.reached.natural)} natural",
        "weak": not unit.reached.holds,
        "rank": "" if unit.rank is None else f"place {unit.rank.rank} of {unit.rank.units}",
        "agreement": unit.agreement,
        "importance": None if weight is None else weight.value,
        "rise": ""
        if weight is None
        else f"{weight.value:+.3g} [{figures(weight.low)}, {figures(weight.high)}], place {unit.place} by that",
        "speaks_for": [_weight(one) for one in unit.speaks_for],
        "speaks_against": [_weight(one) for one in unit.speaks_against],
        "words": " ".join(dict.fromkeys(words)).lower(),
    }


def _weight(one: ClassWeight) -> dict[str, str]:
    interval = f"[{figures(one.weight.low)}, {figures(one.weight.high)}]"
    return {"name": one.name, "value": f"{one.weight.value:+.3g}", "interval": interval}


def _row(row: Row | None, quality: int) -> dict[str, Any] | None:
    if row is None:
        return None
    listed = [
        {"name": name, "value": figures(value), "quantile": "" if quantile is None else f"{quantile:.2f}"}
        for name, value, quantile in zip(row.names, row.values, row.quantiles, strict=True)
    ]
    return {
        "src": photo_uri(row.picture, max(row.picture.size), quality),
        "shape": (row.picture.width, row.picture.height),
        "items": listed,
        "words": "; ".join(f"{item['name']} {item['value']}" for item in listed),
    }
