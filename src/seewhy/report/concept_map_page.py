"""One photo and its concepts as an HTML page: a sum that can be followed, each concept on the photo, and pictures that show what it is."""

from typing import Any

from seewhy.concepts.photo_concepts import PhotoConcepts
from seewhy.concepts.pictures import ConceptPictures
from seewhy.render.bar import figures, percent
from seewhy.render.scene import drawing_size, resized
from seewhy.render.waterfall import Step
from seewhy.report import concept_map_terms as words
from seewhy.report.axis import Axis, axis
from seewhy.report.concept_map_picture import caption, tile
from seewhy.report.images import gradient, photo_uri
from seewhy.report.sheet import kept, sheet

PICTURES = 6
"""Pictures shown of each concept."""
_LONG, _SIDE, _QUALITY = 420, 150, 74


def concept_map_page(photo: PhotoConcepts, pictures: ConceptPictures | None = None, command: str = "") -> str:
    """Return the page as HTML.

    Args:
        photo: what is shown.
        pictures: of a data set, in which each concept is strongest; none are shown if None.
        command: makes the page again.
    """
    made = words.split(photo)
    ends = axis([0.0, *(end for step in made.steps for end in (step.begin, step.end))], from_zero=False)
    content = {
        "photo": photo_uri(resized(photo.photo, drawing_size(photo.photo.size, _LONG, 560)), 560, 80),
        "name": photo.sample.name,
        "answer": kept(words.answer_line(photo)),
        "sum_line": words.sum_line(photo),
        "how": words.how_line(photo),
        "steps": [_bar(step, ends, made.shown, place) for place, step in enumerate(made.steps)],
        "ticks": [(ends.percent(tick), label) for tick, label in zip(ends.ticks, ends.labels, strict=True)],
        "zero": ends.percent(0.0),
        "unit": photo.unit,
        "target": photo.target,
        "concepts": [_concept(photo, number, pictures) for number in made.shown],
        "spatial": photo.spatial,
        "rest": photo_uri(tile(photo, None, _LONG), _LONG, _QUALITY) if photo.spatial and photo.rest else None,
        "rest_value": f"{photo.rest:+.3g}",
        "gradient": gradient(signed=True, limit=1.0),
        "data": None if pictures is None else len(pictures.features),
    }
    return sheet(
        "concept_map",
        title=f"{photo.sample.name}: why {photo.target}?",
        subtitles=[
            f"{photo.network} · layer {photo.layer} · {len(photo.dictionary)} concepts ({photo.dictionary.title})"
        ],
        cautions=words.cautions(photo),
        content=content,
        numbers=photo.numbers(),
        creed=words.creed(photo),
        command=command,
        provenance=photo.provenance,
    )


def _bar(step: Step, ends: Axis, shown: tuple[int, ...], place: int) -> dict[str, Any]:
    """Return one bar of the sum, in percent of the row."""
    first, last = sorted((ends.percent(step.begin), ends.percent(step.end)))
    number = place - 1
    return {
        "name": step.name,
        "anchor": f"concept-{shown[number]}" if not step.total and number < len(shown) else "",
        "left": first,
        "width": round(last - first, 2),
        "at": ends.percent(step.end),
        "side": "total" if step.total else "for" if step.value >= 0 else "against",
        "text": figures(step.end) if step.total else f"{step.value:+.3g}",
    }


def _concept(photo: PhotoConcepts, number: int, pictures: ConceptPictures | None) -> dict[str, Any]:
    value = float(photo.contributions[number])
    whole = float(photo.contributions.abs().sum()) or 1.0
    found = [] if pictures is None else pictures.strongest(number, PICTURES)
    return {
        "number": number,
        "name": photo.names[number],
        "value": f"{value:+.3g}",
        "side": "for" if value >= 0 else "against",
        "end": figures(float(photo.shown(number).abs().max())) if photo.spatial else "",
        "line": words.concept_line(photo, number),
        "share": kept(percent(abs(value) / whole)),
        "map": photo_uri(tile(photo, number, _LONG), _LONG, _QUALITY) if photo.spatial else None,
        "patch": None if (patch := photo.patch(number)) is None else photo_uri(patch, _SIDE, _QUALITY),
        "pictures": [
            {
                "src": photo_uri(pictures.shown(one.picture, number, _SIDE), _SIDE, _QUALITY),
                "name": caption(pictures, one),
            }
            for one in found
        ]
        if pictures is not None
        else [],
    }
