"""Concepts as one picture: a row for each, the most important first."""

from PIL import Image, ImageDraw

from seewhy.concepts.discovered import Concept, Concepts
from seewhy.render.chart import RULE
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, panel
from seewhy.report import concepts_words as words

WIDTH = 1240
MOST = 24
"""Concepts that are drawn."""
_GAP = 14
_LEFT = 330
_SIDE = 104
_ACCENT = (166, 60, 11)
_UNSURE = (122, 80, 0)


def concepts_picture(found: Concepts) -> Image.Image:
    """Draw the concepts: name, importance with its interval, how far to trust each, and the pictures in which it is strongest.

    Raises:
        DataError: a picture that is gone.
    """
    head = [(words.title(found), 30, INK), (words.subtitle(found), 15, SOFT)]
    head += [(f"{figure} {text}", 16, INK) for figure, text in words.tiles(found)]
    cautions = [(line, 15, _UNSURE) for line in words.cautions(found)]
    shown = found.living[:MOST]
    end = max((one.size.high for one in shown if one.size), default=0.0)
    rows = [_row(found, one, place, end) for place, one in enumerate(shown, 1)]
    foot = [(f"{len(found.living) - MOST} more stand in the page.", 14, SOFT)] if len(found.living) > MOST else []
    foot += [(line, 14, SOFT) for line in words.CREED]
    parts = [panel(lines, WIDTH, _GAP) for lines in (head, cautions)] + rows + [panel(foot, WIDTH, _GAP)]
    return stacked([part for part in parts if part is not None], _GAP)


def _row(found: Concepts, one: Concept, place: int, end: float) -> Image.Image:
    """Draw one concept: words and bar on the left, its pictures on the right."""
    said = panel(_lines(found, one, place), _LEFT, _GAP)
    fitting = (WIDTH - _LEFT - _GAP) // (_SIDE + 8)
    deep = 2 if found.pictures.local else 1
    height = max(deep * (_SIDE + 4) + 10, (said.height if said else 0) + 30)
    row = Image.new("RGB", (WIDTH, height), PAPER)
    pen = ImageDraw.Draw(row)
    pen.line((_GAP, 0, WIDTH - _GAP, 0), fill=RULE)
    if said:
        row.paste(said, (0, 8))
    _bar(pen, one, end, 8 + (said.height if said else 0) + 6)
    for number, lit in enumerate(one.top[:fitting]):
        left = _LEFT + number * (_SIDE + 8)
        if found.pictures.local:
            row.paste(found.pictures.crop(lit.picture, one.number, _SIDE), (left, 10))
        row.paste(found.pictures.shown(lit.picture, one.number, _SIDE), (left, 10 + (deep - 1) * (_SIDE + 4)))
    return row


def _lines(found: Concepts, one: Concept, place: int) -> list[tuple[str, int, tuple[int, int, int]]]:
    lines = [(f"{place}  {one.name}", 19, INK)]
    if one.size is not None:
        lines.append((words.size_text(one, found.by), 14, SOFT))
    ink = SOFT if one.steady else _UNSURE
    lines.append((f"stability {words.stability_text(one)}", 14, ink))
    speaks = ", ".join(f"{name} {value}" for name, value in words.speaks(one, 2))
    return [*lines, (f"speaks for {speaks}", 14, SOFT)] if speaks else lines


def _bar(pen: ImageDraw.ImageDraw, one: Concept, end: float, top: int) -> None:
    """Draw how much it counts as a bar with its interval, on the scale that all share."""
    if one.size is None or end <= 0:
        return
    long = _LEFT - 3 * _GAP
    pen.rectangle((_GAP, top, _GAP + long, top + 8), fill=RULE)
    pen.rectangle((_GAP, top, _GAP + long * one.size.value / end, top + 8), fill=_ACCENT)
    pen.line((_GAP + long * one.size.low / end, top + 4, _GAP + long * one.size.high / end, top + 4), fill=INK, width=2)
