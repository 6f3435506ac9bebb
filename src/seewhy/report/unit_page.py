"""One unit, as one HTML file that opens from disk and asks nothing of any network."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from seewhy.evaluation.unit_trust import Path
from seewhy.render.bar import figures
from seewhy.report.axis import axis
from seewhy.report.images import photo_uri
from seewhy.report.sheet import sheet
from seewhy.report.unit import ClassWeight, NaturalPatch, UnitCard, numbers
from seewhy.report.unit_words import CREED, importance_of

LARGEST = 800_000
"""Bytes that a page stays under."""
_DETAILS = ((256, 74), (224, 64), (192, 52), (160, 40), (128, 30))
"""Long side of the pictures, and WebP quality; a page takes the first that fits."""


def unit_page(card: UnitCard) -> str:
    """Return the page of a unit as HTML."""
    html = ""
    for long, quality in _DETAILS:
        html = _page(card, long, quality)
        if len(html.encode()) < LARGEST:
            break
    return html


def _page(card: UnitCard, long: int, quality: int) -> str:
    return sheet(
        "unit",
        title=f"Unit {card.channel} of {card.layer}",
        subtitles=(f"{card.model} · {card.units} units in this layer · {card.pictures} pictures of {card.data}",),
        cautions=card.cautions,
        creed=CREED,
        command=card.command,
        provenance=card.provenance,
        numbers=numbers(card),
        content=content(card, long, quality),
    )


def content(card: UnitCard, long: int, quality: int) -> dict[str, Any]:
    """Return what the template shows, pictures at a long side and a quality."""

    def uri(picture: Image.Image) -> str:
        return photo_uri(picture, long, quality)

    return {
        "card": card,
        "figures": figures,
        "made": [{"src": uri(one.picture), "value": figures(one.value), "seed": one.seed} for one in card.made],
        "top": [_patch(patch, uri) for patch in card.top],
        "strip": [_patch(patch, uri) for patch in card.strip],
        "dots": dots(card),
        "speaks_for": bars(card.speaks_for, card),
        "speaks_against": bars(card.speaks_against, card),
        "importance": importance_of(card),
        "chart": chart(card.path) if card.path else None,
    }


def _patch(patch: NaturalPatch, uri: Any) -> dict[str, Any]:
    return {
        "crop": uri(patch.crop),
        "whole": uri(patch.whole) if patch.whole else None,
        "name": patch.name,
        "value": figures(patch.value),
        "quantile": "" if patch.quantile is None else f"{patch.quantile:.2f}",
        "label": patch.label or "",
    }


def dots(card: UnitCard) -> dict[str, Any] | None:
    """Return values of natural and of made pictures on one axis."""
    made = [one.value for one in card.made]
    if not card.values:
        return None
    shown = axis([*card.values, card.highest, *made], from_zero=min(card.values) >= 0)
    rows = [
        (
            f"natural pictures ({len(card.values)} of {card.pictures})",
            [shown.percent(v) for v in card.values],
            "natural",
        ),
        (f"made pictures ({len(made)})", [shown.percent(v) for v in made], "made"),
    ]
    return {
        "rows": [row for row in rows if row[1]],
        "highest": shown.percent(card.highest),
        "ticks": [(shown.percent(tick), label) for tick, label in zip(shown.ticks, shown.labels, strict=True)],
        "words": f"Largest activation: natural pictures up to {figures(card.highest)}"
        + (f", made pictures {', '.join(figures(value) for value in made)}" if made else ""),
    }


@dataclass(frozen=True)
class Bar:
    """A class with its weight as a bar and its interval as a line, in percent of the widest."""

    name: str
    value: str
    interval: str
    width: float
    low: float
    high: float


def bars(classes: tuple[ClassWeight, ...], card: UnitCard) -> list[Bar]:
    """Return the classes of one side; both sides share one scale."""
    ends = [max(abs(one.weight.low), abs(one.weight.high)) for one in (*card.speaks_for, *card.speaks_against)]
    end = max(ends, default=1.0) or 1.0
    made = []
    for one in classes:
        near, far = sorted((abs(one.weight.low), abs(one.weight.high)))
        interval = f"[{figures(one.weight.low)}, {figures(one.weight.high)}]"
        share = [round(100 * abs(v) / end, 2) for v in (one.weight.value, near, far)]
        made.append(Bar(one.name, f"{one.weight.value:+.3g}", interval, *share))
    return made


_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 260, 44, 30


def chart(path: Path) -> dict[str, Any]:
    """Return the way through the network as lines and a band, in the coordinates of an SVG of 640 x 260."""
    points = path.points
    lowest = min(0.0, *(min(p.made, p.low, p.usual) for p in points))
    highest = max(*(max(p.made, p.high, p.usual, p.top) for p in points), lowest + 0.1)
    shown = axis([lowest, highest], from_zero=False)
    step = (_WIDTH - _LEFT - 20) / max(1, len(points) - 1)

    def at(number: int, value: float) -> str:
        return f"{_LEFT + 10 + step * number:.1f} {_y(shown.percent(value)):.1f}"

    def line(name: str) -> str:
        return "M" + " L".join(at(n, getattr(p, name)) for n, p in enumerate(points))

    back = " L".join(at(n, points[n].low) for n in reversed(range(len(points))))
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "made": line("made"),
        "top": line("top"),
        "usual": line("usual"),
        "band": f"{line('high')} L{back}Z",
        "dots": [tuple(map(float, at(n, p.made).split())) for n, p in enumerate(points)],
        "ticks": [(_y(shown.percent(tick)), label) for tick, label in zip(shown.ticks, shown.labels, strict=True)],
        "layers": [(_LEFT + 10 + step * n, str(n + 1)) for n in range(len(points))],
        "names": ", ".join(f"{n + 1} {p.layer}" for n, p in enumerate(points)),
        "words": "Similarity to the strongest natural pictures, layer by layer: "
        + "; ".join(f"{p.layer}: made {p.made:.2f}, natural {p.top:.2f}, any picture {p.usual:.2f}" for p in points),
    }


def _y(percent: float) -> float:
    return (_HEIGHT - _BOTTOM) - (_HEIGHT - _BOTTOM - 12) * percent / 100
