"""Concepts as one HTML file: what each looks like, how much it counts, how far to trust it."""

from typing import Any

from PIL import Image

from seewhy.concepts.discovered import Concept, Concepts
from seewhy.concepts.pictures import Lit
from seewhy.contributions.table import Estimate
from seewhy.render.bar import figures, percent
from seewhy.render.encode import data_uri, png_bytes, webp_bytes
from seewhy.report import concepts_words as words
from seewhy.report.axis import Axis, axis
from seewhy.report.sheet import kept, sheet

LARGEST = 6_000_000
"""Bytes that a page stays under; its pictures get coarser where there are many concepts."""
_DETAILS = ((224, 74), (192, 66), (160, 58), (128, 48), (96, 36), (64, 24))
"""Side of the pictures, and WebP quality."""
_CLASSES = 12
"""Classes whose effects are shown."""


def concepts_page(found: Concepts, command: str = "") -> str:
    """Return the page of the concepts as HTML, at the best detail with which it stays under `LARGEST` bytes.

    Args:
        found: the concepts.
        command: makes the page again.

    Raises:
        DataError: a picture that is gone.
    """
    html = ""
    for side, quality in _DETAILS:
        html = _page(found, command, side, quality)
        if len(html.encode()) < LARGEST:
            break
    return html


def _page(found: Concepts, command: str, side: int, quality: int) -> str:
    shown = _axis(found)
    return sheet(
        "concepts",
        title=words.title(found),
        subtitles=(words.subtitle(found),),
        cautions=words.cautions(found),
        creed=words.CREED,
        command=command,
        provenance={**found.provenance, "dictionary": dict(found.dictionary.settings)},
        numbers=found.numbers(),
        content={
            "layer": found.dictionary.layer,
            "tiles": words.tiles(found),
            "local": found.pictures.local,
            "scale": words.SCALES[found.by],
            "ticks": [(shown.percent(tick), label) for tick, label in zip(shown.ticks, shown.labels, strict=True)]
            if shown
            else [],
            "cards": [_card(found, one, place, shown, (side, quality)) for place, one in enumerate(found.concepts, 1)],
            "notes": words.notes(found),
            "reading": words.reading(found),
        },
    )


def _axis(found: Concepts) -> Axis | None:
    """Return the scale that all bars share; None where importance is not known."""
    ends = [value for one in found.concepts if one.size for value in (one.size.value, one.size.low, one.size.high)]
    return axis(ends, from_zero=True) if ends else None


def _card(found: Concepts, one: Concept, place: int, shown: Axis | None, detail: tuple[int, int]) -> dict[str, Any]:
    return {
        "place": place,
        "number": one.number,
        "name": kept(one.name),
        "numbered": one.name != f"concept {one.number}",
        "note": one.note,
        "bar": _bar(one.size, shown),
        "size": words.size_text(one, found.by),
        "stability": words.stability_text(one),
        "unsteady": one.stability is not None and not one.steady and not one.note,
        "share": words.share_text(one),
        "prevalence": kept(percent(one.prevalence)),
        "classes": words.classes_text(one),
        "speaks": words.speaks(one),
        "effects": [(name, words.effect_text(value), *_signed_bar(one, value)) for name, value in _strongest(one)],
        "pictures": [_picture(found, one, lit, *detail) for lit in one.top],
    }


def _bar(size: Estimate | None, shown: Axis | None) -> dict[str, float] | None:
    if size is None or shown is None:
        return None
    low, high = shown.percent(size.low), shown.percent(size.high)
    return {"width": shown.percent(size.value), "low": low, "span": round(high - low, 2)}


def _strongest(one: Concept) -> list[tuple[str, Estimate]]:
    """Return the classes over whose pictures it does most."""
    return sorted(one.effects.items(), key=lambda entry: -abs(entry[1].value))[:_CLASSES]


def _signed_bar(one: Concept, value: Estimate) -> tuple[str, float]:
    """Return the side of a bar and its width in percent of the widest of this concept."""
    end = max(abs(other.value) for other in one.effects.values()) or 1.0
    return "for" if value.value >= 0 else "against", round(100 * abs(value.value) / end, 1)


def _picture(found: Concepts, one: Concept, lit: Lit, side: int, quality: int) -> dict[str, Any]:
    pictures = found.pictures
    veil = pictures.veil(lit.picture, one.number)
    crop = _uri(pictures.crop(lit.picture, one.number, side), quality) if pictures.local else ""
    return {
        "crop": crop,
        "whole": _uri(pictures.plain(lit.picture, side * 2 // 3 if crop else side), quality),
        "veil": "" if veil is None else data_uri(png_bytes(veil), "image/png"),
        "name": lit.name,
        "short": words.caption(found, lit),
        "strength": kept(percent(max(0.0, lit.value / one.top[0].value))) if one.top[0].value > 0 else "",
        "value": figures(lit.value),
    }


def _uri(picture: Image.Image, quality: int) -> str:
    return data_uri(webp_bytes(picture, quality), "image/webp")
