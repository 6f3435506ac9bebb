"""The objects of one photo as one HTML file: all boxes, a table, and a card for each object."""

from typing import Any

from PIL import Image

from seewhy.render.bar import figures
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.render.scene import drawing_size
from seewhy.report import objects_words as words
from seewhy.report.images import gradient
from seewhy.report.objects import FoundObjects, ObjectFinding
from seewhy.report.objects_picture import all_boxes, crop, object_scene
from seewhy.report.sheet import kept, sheet

CREED = (
    "A map says what the answer about this box goes with, and nothing else. Evidence outside of a box is not an error: context can be what a detector rightly uses, "
    "or what it wrongly relies on; hide it and look."
)
READING = (
    (
        "box",
        "the box of the object as it was found on the unchanged photo, or as it was marked; it is frozen, and the question is never about another one.",
    ),
    (
        "share in the box",
        "of all evidence for the object, how much lies in its box; in brackets that of an even map, which is the box's share of the area. Where the method knows its standard errors, values within two of them of zero are left out.",
    ),
    (
        "affinity",
        "how nearly the same object is in a changed image: overlap of the boxes times likeness of the classes times sureness, of the row that does best; 1 is the same object.",
    ),
    ("ring", "the box grown by half its width and height, without the box itself."),
    (
        "not found",
        "of the images that the method changed, how many have no detection of this class that overlaps the box by half.",
    ),
    (
        "missed",
        "an object of the ground truth that no detection is of. Its map is of how far any row of the answer comes to it: what would show it, and what hides it.",
    ),
)


def objects_page(report: FoundObjects) -> str:
    """Return the page."""
    return sheet(
        "objects",
        title=f"Objects in {report.name or 'this image'}",
        subtitles=(kept(words.made(report)),),
        content={
            "boxes": _uri(all_boxes(report, 900), 78),
            "rows": [_row(one) for one in report.objects],
            "with_truth": any(one.evidence.in_truth is not None for one in report.objects),
            "with_lost": any(one.lost is not None for one in report.objects),
            "groups": [_group(report, missed=missed) for missed in (False, True) if _some(report, missed=missed)],
            "reading": READING,
            "method": str(report.method.source),
        },
        numbers=report.numbers(),
        cautions=[kept(note) for note in report.notes] + [f"{report.method.title}: {report.method.caution}."],
        creed=(CREED,),
        command=report.command,
        provenance=report.provenance,
    )


def _some(report: FoundObjects, *, missed: bool) -> list[ObjectFinding]:
    return [one for one in report.objects if (one.thing.status == "missed") is missed]


def _row(one: ObjectFinding) -> dict[str, Any]:
    thing, evidence = one.thing, one.evidence
    x1, y1, x2, y2 = (round(value) for value in thing.box)
    inside, ring, outside = words.shares(evidence.for_it)
    even = words.shares(evidence.chance)
    return {
        "id": thing.label,
        "status": words.STATUS[thing.status],
        "kind": thing.status.replace(" ", "-"),
        "name": thing.name,
        "score": "–" if thing.status == "missed" else f"{thing.score:.2f}",
        "box": f"{x1}, {y1} to {x2}, {y2}",
        "overlap": "–" if thing.overlap is None else f"{thing.overlap:.2f}",
        "zones": [(kept(value), kept(even[place])) for place, value in enumerate((inside, ring, outside))],
        "truth": (kept(words.share(evidence.in_truth)), kept(words.share(evidence.chance_in_truth))),
        "hit": "yes" if evidence.hit else "no",
        "lost": kept(words.share(one.lost)),
    }


def _group(report: FoundObjects, *, missed: bool) -> dict[str, Any]:
    group = _some(report, missed=missed)
    limit, signed = report.limit(group[0]), report.method.signed
    return {
        "title": "Missed: what would show them, and what hides them"
        if missed
        else "Found: where the evidence for each lies",
        "cards": [_card(report, one) for one in group],
        "gradient": gradient(signed=signed, limit=limit),
        "ends": (
            f"{figures(-limit)} against" if signed else "0",
            "0" if signed else "",
            f"{'for ' if signed else ''}{figures(limit)}",
        ),
        "caption": words.caption(report, missed=missed),
    }


def _card(report: FoundObjects, one: ObjectFinding) -> dict[str, Any]:
    size = drawing_size(report.photo.size, 320, 560)
    facts = [words.sentence(one)]
    if one.lost is not None:
        facts.append(words.lost(one)[:1].upper() + words.lost(one)[1:] + ".")
    against = words.hidden_by(one.evidence)
    if against and one.thing.status == "missed":
        facts.append(against[:1].upper() + against[1:] + ".")
    if one.evidence.in_truth is not None:
        facts.append(
            f"In the marked object: {words.beside_chance(one.evidence.in_truth, one.evidence.chance_in_truth or 0.0)}."
        )
    facts += [words.figure(name, value) for name, value in one.figures.items()]
    return {
        "title": one.title,
        "status": words.STATUS[one.thing.status],
        "kind": one.thing.status.replace(" ", "-"),
        "map": _uri(object_scene(report, one, size), 74),
        "crop": _uri(crop(report, one, 260), 78),
        "facts": [kept(fact) for fact in facts],
        "value": f"{figures(one.score)} {one.unit}",
        "notes": [kept(note) for note in one.notes],
    }


def _uri(picture: Image.Image, quality: int) -> str:
    return data_uri(webp_bytes(picture, quality), "image/webp")
