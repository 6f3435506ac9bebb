"""Two pictures side by side, with numbered lines between places of the one and of the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from seewhy.render.text import INK, face

GAP = 40
_RADIUS = 10


@dataclass(frozen=True)
class Join:
    """A line: a place (x, y) in pixels of the left picture, one of the right picture, and a short name."""

    left: tuple[float, float]
    right: tuple[float, float]
    name: str


def joined(left: Image.Image, right: Image.Image, lines: Sequence[Join]) -> Image.Image:
    """Draw two pictures beside each other and join places of the one with places of the other; names stand in circles at both ends.

    What lies between them is transparent.
    """
    height = max(left.height, right.height)
    whole = Image.new("RGBA", (left.width + GAP + right.width, height), (0, 0, 0, 0))
    tops = [(height - picture.height) // 2 for picture in (left, right)]
    whole.paste(left, (0, tops[0]))
    whole.paste(right, (left.width + GAP, tops[1]))
    draw = ImageDraw.Draw(whole)
    ends = [
        ((line.left[0], line.left[1] + tops[0]), (line.right[0] + left.width + GAP, line.right[1] + tops[1]))
        for line in lines
    ]
    for start, end in ends:
        draw.line([start, end], fill="black", width=4)
        draw.line([start, end], fill="white", width=2)
    for line, pair in zip(lines, ends, strict=True):
        for x, y in pair:
            draw.ellipse([x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS], fill="white", outline="black", width=2)
            draw.text((x, y), line.name, fill=INK, font=face(13), anchor="mm")
    return whole
