"""The objects of one photo as one picture: the photo with all boxes, and a map for each object on one scale."""

from PIL import Image

from seewhy.render.bar import bar, figures
from seewhy.render.boxes import Marked, with_boxes
from seewhy.render.contact import contact
from seewhy.render.overlay import stacked
from seewhy.render.scene import drawing_size, resized, scene
from seewhy.render.text import INK, SOFT, panel
from seewhy.report import objects_words as words
from seewhy.report.objects import FoundObjects, ObjectFinding

WIDTH = 1100
CELL = 340
GAP = 20


def objects_picture(report: FoundObjects) -> Image.Image:
    """Draw all objects of a photo."""
    head = panel(
        [
            (f"Objects in {report.name or 'this image'}", 26, INK),
            (words.made(report), 17, SOFT),
            *((note, 17, INK) for note in report.notes),
        ],
        WIDTH,
        GAP,
        limit=4,
    )
    parts = [head, all_boxes(report, WIDTH - 2 * GAP)]
    for missed in (False, True):
        group = [one for one in report.objects if (one.thing.status == "missed") is missed]
        if group:
            parts.append(_sheet(report, group, missed=missed))
    return stacked(parts, GAP)


def all_boxes(report: FoundObjects, longest: int) -> Image.Image:
    """Draw the photo with the boxes of all objects; those that were missed with broken lines."""
    size = drawing_size(report.photo.size, min(760, longest), min(longest, 900))
    marks = [
        Marked(on_drawing(one.thing.box, report.size, size), one.title, one.thing.status == "missed")
        for one in report.objects
    ]
    return with_boxes(resized(report.photo, size), marks)


def object_scene(
    report: FoundObjects, one: ObjectFinding, size: tuple[int, int], *, label: bool = False
) -> Image.Image:
    """Draw the map of one object over the grey photo at a size (w, h), with its box and, where it is marked, that of the truth in broken lines."""
    missed = one.thing.status == "missed"
    drawn = scene(
        report.photo, one.heatmap, size, signed=report.method.signed, limit=max(report.limit(one), 1e-30), outline=None
    )
    marks = [Marked(on_drawing(one.thing.box, report.size, size), one.title if label else "", missed)]
    if one.thing.truth is not None and not missed:
        marks.insert(0, Marked(on_drawing(one.thing.truth.box, report.size, size), "", dashed=True))
    return with_boxes(drawn, marks)


def crop(report: FoundObjects, one: ObjectFinding, longest: int) -> Image.Image:
    """Return the part of the photo around an object, twice as wide and high as its box, where the photo reaches so far, with the box drawn."""
    scale = report.photo.width / report.size[0]
    x1, y1, x2, y2 = (value * scale for value in one.thing.box)
    dx, dy = (x2 - x1) / 2, (y2 - y1) / 2
    left, top = max(0, round(x1 - dx)), max(0, round(y1 - dy))
    right, bottom = min(report.photo.width, round(x2 + dx)), min(report.photo.height, round(y2 + dy))
    part = report.photo.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    size = drawing_size(part.size, min(160, longest), longest)
    grow = size[0] / part.width
    box = ((x1 - left) * grow, (y1 - top) * grow, (x2 - left) * grow, (y2 - top) * grow)
    return with_boxes(resized(part, size), [Marked(box, "", one.thing.status == "missed")])


def on_drawing(
    box: tuple[float, float, float, float], source: tuple[int, int], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return a box of the photo on a drawing of it; both sizes are (w, h)."""
    across, down = size[0] / source[0], size[1] / source[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def _sheet(report: FoundObjects, group: list[ObjectFinding], *, missed: bool) -> Image.Image:
    size = drawing_size(report.photo.size, CELL, CELL)
    cells = []
    for one in group:
        status = [] if one.thing.status in ("found", "missed") else [words.STATUS[one.thing.status]]
        lines = [one.title, *status, *words.where(one)]
        against = words.hidden_by(one.evidence) if missed else ""
        cells.append((object_scene(report, one, size), [*lines, *([against] if against else [])]))
    limit = report.limit(group[0])
    signed = report.method.signed
    ends = (f"{figures(-limit)}  against", "0", f"for  {figures(limit)}") if signed else ("0", "", figures(limit))
    foot = bar(520, 15, signed=signed, limit=limit, ends=ends, notes=(words.caption(report, missed=missed),))
    title = "Missed: what would show them, and what hides them" if missed else "Found: where the evidence for each lies"
    return contact(cells, columns=min(3, len(cells)), cell=size, title=title, foot=foot)
