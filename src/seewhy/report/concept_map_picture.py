"""One photo and its concepts as one picture: the sum, then each concept on the photo beside pictures that it is strongest in."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.concepts.photo_concepts import PhotoConcepts
from seewhy.concepts.pictures import ConceptPictures, Lit
from seewhy.render.chart import Scale
from seewhy.render.contact import contact
from seewhy.render.overlay import overlay, stacked
from seewhy.render.scene import drawing_size, resized, scene
from seewhy.render.strips import Group, Strip, strips
from seewhy.render.text import INK, SOFT, panel
from seewhy.render.waterfall import waterfall
from seewhy.report import concept_map_terms as words
from seewhy.report.axis import axis

WIDTH = 940
CELL = 132
PICTURES = 4
"""Pictures shown of each concept."""
_GAP = 14
_TITLE = "Where each concept lies"
_COLOURS = "orange speaks for it, purple against it; each map's colours end at its own largest value"


def drawn_on(photo: PhotoConcepts, values: Float[Tensor, "*grid"], size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """Return a map of the layer on the whole photo at a size (w, h)."""
    drawn: Float[np.ndarray, "h w"] = photo.in_source(values, (size[1], size[0])).numpy()
    return drawn


def concept_overlay(photo: PhotoConcepts, number: int) -> Image.Image:
    """Draw the map of one concept over the photo, with its scale."""
    size = drawing_size(photo.photo.size)
    title = f"{photo.names[number]} {words.concept_line(photo, number)}"
    limit = float(photo.shown(number).abs().max())
    return overlay(
        resized(photo.photo, size),
        drawn_on(photo, photo.shown(number), size),
        signed=True,
        limit=limit or None,
        title=title,
        unit=photo.unit,
        normalization="the largest magnitude of this map",
    )


def tile(photo: PhotoConcepts, number: int | None, long: int) -> Image.Image:
    """Draw the map of one concept over the photo, without words, on a scale of its own; of what no concept explains if None."""
    size = drawing_size(photo.photo.size, long, long)
    values = photo.found.rest_map[0] if number is None else photo.shown(number)
    limit = float(values.abs().max()) or 1.0
    return scene(photo.photo, drawn_on(photo, values, size), size, signed=True, limit=limit, outline=None)


def caption(pictures: ConceptPictures, picture: Lit) -> str:
    """Return what a picture is called: its class where that is known, else the name of its file without folders and ending."""
    label, names = int(pictures.features.labels[picture.picture]), pictures.model.labels
    if names is not None and 0 <= label < len(names):
        return names[label]
    return Path(picture.name).stem or picture.name


def concept_map_picture(photo: PhotoConcepts, pictures: ConceptPictures | None = None) -> Image.Image:
    """Draw the sum and the concepts.

    Args:
        photo: what is shown.
        pictures: of a data set, in which each concept is strongest; none are shown if None.
    """
    made = words.split(photo)
    head = panel(
        [
            (f"{photo.sample.name}: why {photo.target}?", 24, INK),
            (words.answer_line(photo), 16, INK),
            (words.sum_line(photo), 15, SOFT),
            *((line, 15, (166, 60, 11)) for line in words.cautions(photo)),
        ],
        WIDTH,
        _GAP,
    )
    ends = axis([0.0, *(end for step in made.steps for end in (step.begin, step.end))], from_zero=False)
    scale = Scale(tuple(zip(ends.ticks, ends.labels, strict=True)))
    chart = waterfall(made.steps, scale, width=WIDTH, notes=(words.how_line(photo),))
    parts = [head, chart, _concepts(photo, made.shown, pictures) if photo.spatial else None]
    return stacked([*parts, panel([(line, 13, SOFT) for line in words.creed(photo)], WIDTH, _GAP)], _GAP)


def _concepts(photo: PhotoConcepts, shown: tuple[int, ...], pictures: ConceptPictures | None) -> Image.Image:
    """Draw each concept on the photo: beside pictures that show it where there are some, else in a grid."""
    patched = any(photo.patch(number) is not None for number in shown)
    return _strips(photo, shown, pictures) if pictures is not None or patched else _grid(photo, shown)


def _named(photo: PhotoConcepts, shown: tuple[int, ...]) -> list[tuple[int | None, str]]:
    """Return the concepts, and what none explains, with what they add."""
    named: list[tuple[int | None, str]] = [
        (number, f"{photo.names[number]}: {float(photo.contributions[number]):+.3g}") for number in shown
    ]
    return [*named, (None, f"{words.REST}: {photo.rest:+.3g}")] if photo.rest else named


def _grid(photo: PhotoConcepts, shown: tuple[int, ...]) -> Image.Image:
    cells = [(tile(photo, number, 2 * CELL), (name,)) for number, name in _named(photo, shown)]
    high = max(picture.height for picture, _ in cells)
    return contact(cells, columns=3, cell=(2 * CELL, high), title=_TITLE, notes=(f"{_COLOURS}.",))


def _strips(photo: PhotoConcepts, shown: tuple[int, ...], pictures: ConceptPictures | None) -> Image.Image:
    rows = []
    for number, name in _named(photo, shown):
        cells = [(tile(photo, number, 2 * CELL), "on this photo")]
        if number is not None and (patch := photo.patch(number)) is not None:
            cells.append((patch, "its training patch"))
        if number is not None and pictures is not None:
            found = pictures.strongest(number, PICTURES)
            cells += [(pictures.shown(one.picture, number, CELL), caption(pictures, one)) for one in found]
        rows.append(Strip(name, cells))
    beside = "; beside it pictures in which the concept is strongest, dark where it is not" if pictures else ""
    return strips([Group(_TITLE, rows, _COLOURS + beside)], cell=CELL)
