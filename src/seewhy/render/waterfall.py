"""A sum, term by term: each bar begins where the one above it ends, and the last one is the total."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from seewhy.errors import ShapeError
from seewhy.render.bar import figures
from seewhy.render.chart import GAP, ROW, RULE, TEXT, Scale, captioned, sign_colours
from seewhy.render.text import INK, PAPER, SOFT, face, legible, line_height, shortened


@dataclass(frozen=True)
class Step:
    """One bar of a sum.

    Attributes:
        name: of the term.
        begin, end: where its bar begins and ends.
        total: it is no term but a sum so far, such as the start or the end, and its bar begins at 0.
    """

    name: str
    begin: float
    end: float
    total: bool = False

    @property
    def value(self) -> float:
        """How long the bar is, signed."""
        return self.end - self.begin


def summed(start: tuple[str, float], terms: Sequence[tuple[str, float]], end: str) -> list[Step]:
    """Return the steps from a start over terms to their sum.

    Args:
        start: name and value of what is there before any term.
        terms: names and values.
        end: name of the total.
    """
    steps = [Step(start[0], 0.0, start[1], total=True)]
    place = start[1]
    for name, value in terms:
        steps.append(Step(name, place, place + value))
        place += value
    return [*steps, Step(end, 0.0, place, total=True)]


def waterfall(
    steps: Sequence[Step], scale: Scale, *, width: int = 900, title: str = "", notes: Sequence[str] = ()
) -> Image.Image:
    """Draw a sum term by term.

    Args:
        steps: from the first to the total.
        scale: holds all ends, and 0.
        width: of the picture.
        title, notes: lines above and below.

    Raises:
        ShapeError: there are no steps.
    """
    if not steps:
        raise ShapeError("a sum wants at least one term")
    font, small = face(TEXT, "".join(step.name for step in steps)), face(TEXT - 2)
    left = min(width * 2 // 5, round(max(font.getlength(legible(step.name, font)) for step in steps)) + 2 * GAP)
    right = round(max(small.getlength(_written(step)) for step in steps)) + 2 * GAP
    begin, length = left + GAP, width - left - right - 2 * GAP
    height = len(steps) * ROW
    drawn = Image.new("RGB", (width, height + line_height(small) + GAP), PAPER)
    pen = ImageDraw.Draw(drawn)
    for value, label in scale.ticks:
        x = scale.at(value, begin, length)
        pen.line((x, 0, x, height), fill=SOFT if value == 0 else RULE)
        pen.text((x, height + GAP // 2), label, fill=SOFT, font=small, anchor="ma")
    for row, step in enumerate(steps):
        middle = (row + 0.5) * ROW
        name = shortened(legible(step.name, font), font, left - GAP)
        pen.text((GAP, middle), name, fill=INK, font=font, anchor="lm")
        first, last = (scale.at(end, begin, length) for end in (step.begin, step.end))
        pen.rectangle((min(first, last), middle - 7, max(first, last), middle + 7), fill=_colour(step))
        if row + 1 < len(steps):
            pen.line((last, middle + 7, last, middle + ROW - 7), fill=SOFT)
        pen.text((width - GAP, middle), _written(step), fill=INK, font=small, anchor="rm")
    return captioned(drawn, width, title, notes)


def _written(step: Step) -> str:
    return figures(step.end) if step.total else f"{step.value:+.3g}"


def _colour(step: Step) -> tuple[int, int, int]:
    against, favour = sign_colours()
    return SOFT if step.total else favour if step.value >= 0 else against
