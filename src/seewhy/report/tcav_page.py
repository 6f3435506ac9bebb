"""Given concepts as one HTML file: each in pictures, whether it is there, what it does to each class, what is lost without it."""

from collections.abc import Mapping, Sequence
from typing import Any

from seewhy.concepts.erasure import Erased
from seewhy.concepts.sensitivity import Sensitivity, TriedConcept
from seewhy.concepts.tcav import Influence
from seewhy.contributions.table import Estimate
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.report import tcav_words as words
from seewhy.report.axis import Axis, axis
from seewhy.report.sheet import kept, sheet
from seewhy.report.tcav_strips import Shown

QUALITY = 72
MOST = 40
"""Concepts that the page shows; the rest stands in the files of numbers."""


def tcav_page(
    found: Sensitivity,
    numbers: Mapping[str, Any],
    pictures: Mapping[str, Shown],
    *,
    name: str = "",
    command: str = "",
) -> str:
    """Return the page.

    Args:
        found: what was found.
        numbers: the same as plain values; it travels inside the page.
        pictures: of each concept, by its name.
        name: of the data.
        command: makes the page again.
    """
    listed = found.concepts[:MOST]
    effects, falls = _effects(listed), _falls(listed)
    return sheet(
        "tcav",
        title=words.heading(found),
        subtitles=words.asked(found, name),
        content={
            "lines": [kept(line) for line in words.lines(found)],
            "cards": [_card(found, concept, pictures[concept.name], effects, falls) for concept in listed],
            "left": len(found.concepts) - len(listed),
            "share_ends": ("0", "1"),
            "effect_ends": (effects.labels[0], effects.labels[-1]),
            "fall_ends": _points(falls) if falls else None,
            "reading": [(term, kept(text)) for term, text in words.READING],
            "right": found.right,
            "notes": [kept(note) for note in found.notes],
            "broken": found.broken,
        },
        numbers=numbers,
        cautions=words.cautions(found),
        creed=(words.CREED,),
        command=command,
        provenance=found.provenance,
    )


def _effects(concepts: Sequence[TriedConcept]) -> Axis:
    """Return one axis for the effects of all concepts, so that they can be compared."""
    ends = [0.0]
    for one in (one for concept in concepts for one in concept.influences):
        ends += [one.effect.value, one.effect.low, one.effect.high, *one.random_effect]
    return axis(ends, from_zero=False)


def _falls(concepts: Sequence[TriedConcept]) -> Axis | None:
    gone = [each for concept in concepts if concept.erasure for each in concept.erasure.classes.values()]
    ends = [end for each in gone for end in (each.fall.value, each.fall.low, each.fall.high, each.worst)]
    return axis([0.0, *ends], from_zero=False) if ends else None


def _points(falls: Axis) -> tuple[str, str]:
    return f"{100 * falls.ticks[0]:.0f}", f"{100 * falls.ticks[-1]:.0f}"


def _card(
    found: Sensitivity, concept: TriedConcept, pictures: Shown, effects: Axis, falls: Axis | None
) -> dict[str, Any]:
    kind, verdict = words.verdict(concept)
    low, high = concept.gate.random
    return {
        "name": concept.name,
        "pictures": concept.pictures,
        "kind": kind,
        "verdict": verdict,
        "gate": kept(words.gate_line(concept)),
        "gate_at": round(100 * concept.gate.accuracy, 2),
        "gate_band": (round(100 * low, 2), round(100 * (high - low), 2)),
        "erasure": kept(words.erasure_line(concept)),
        "given": [_uri(picture) for picture in pictures.given],
        "most": [
            (_uri(picture), f"{score:.1f}") for picture, score in zip(pictures.most, pictures.scores, strict=True)
        ],
        "rows": [_row(found, concept, one, effects, falls) for one in words.ordered(concept)],
    }


def _uri(picture: Any) -> str:
    return data_uri(webp_bytes(picture, QUALITY), "image/webp")


def _row(
    found: Sensitivity, concept: TriedConcept, one: Influence, effects: Axis, falls: Axis | None
) -> dict[str, Any]:
    gone = concept.erasure.classes.get(one.category) if concept.erasure else None
    unit = Axis((0.0, 1.0), ("0", "1"))
    return {
        "name": found.classes[one.category],
        "direction": one.direction,
        "share": _bar(one.share, one.random_share, unit, 0.5) | {"text": f"{one.share.value:.2f}"},
        "effect": _bar(one.effect, one.random_effect, effects, 0.0)
        | {"text": f"{one.effect.value:+.1f}", "range": f"{one.effect.low:+.1f} to {one.effect.high:+.1f}"},
        "chance": words.chance(one.corrected, one).removeprefix("p ").removeprefix("= "),
        "fall": None
        if gone is None or falls is None
        else _fall(gone, falls) | {"certain": gone.certain and one.significant},
    }


def _fall(gone: Erased, falls: Axis) -> dict[str, Any]:
    return _bar(gone.fall, (0.0, max(0.0, gone.worst)), falls, 0.0) | {
        "text": f"{100 * gone.fall.value:+.0f}".replace("+0", "0").replace("-0", "0"),
        "range": f"{100 * gone.fall.low:.0f} to {100 * gone.fall.high:.0f}".replace("-0 ", "0 "),
    }


def _bar(one: Estimate, band: tuple[float, float], scale: Axis, zero: float) -> dict[str, Any]:
    origin, end, low, high = (scale.percent(value) for value in (zero, one.value, one.low, one.high))
    first, last = (scale.percent(value) for value in band)
    return {
        "zero": origin,
        "left": min(origin, end),
        "width": round(abs(end - origin), 2),
        "low": low,
        "span": round(high - low, 2),
        "band": first,
        "band_width": round(last - first, 2),
        "side": "pos" if one.value >= zero else "neg",
    }
