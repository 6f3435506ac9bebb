"""What charts share: the scale of an axis, measures and colours, the lines of words above and below."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from seewhy.render.colors import palette_table
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, panel

Colour = tuple[int, int, int]

RULE: Colour = (216, 211, 200)
TEXT = 15
GAP = 10
ROW = 27


@dataclass(frozen=True)
class Scale:
    """A stretch of the number line, on so many pixels.

    Attributes:
        ticks: positions and their labels; the first and the last are the ends.
    """

    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float, begin: float, length: float) -> float:
        """Return the pixel of a value, where the scale begins at `begin` and is `length` pixels long; beyond the ends it is the end."""
        low, high = self.ticks[0][0], self.ticks[-1][0]
        return begin + length * min(1.0, max(0.0, (value - low) / (high - low)))


def sign_colours() -> tuple[Colour, Colour]:
    """Return the colours of what speaks against and for: the ends of the signed palette."""
    table = palette_table(None, signed=True)
    against, favour = (tuple(int(part) for part in table[place]) for place in (12, 243))
    return (against[0], against[1], against[2]), (favour[0], favour[1], favour[2])


def captioned(drawn: Image.Image, width: int, title: str, notes: Sequence[str]) -> Image.Image:
    """Return a chart with its title above and its notes below."""
    head = panel([(title, TEXT * 4 // 3, INK)] if title else [], width, GAP, limit=6)
    foot = panel([(note, TEXT - 1, SOFT) for note in notes if note], width, GAP, limit=6)
    whole = Image.new("RGB", (max(width, drawn.width), drawn.height), PAPER)
    whole.paste(drawn, (0, 0))
    return stacked([head, whole, foot], GAP)
