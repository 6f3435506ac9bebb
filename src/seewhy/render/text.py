"""Words on pictures, in the font that comes with Pillow; no font file is needed."""

from functools import cache
from unicodedata import combining, normalize

from PIL import Image, ImageDraw, ImageFont

INK, SOFT, PAPER = (29, 28, 26), (95, 91, 84), (251, 250, 248)
"""Text, secondary text (6.4:1 on paper) and background of every picture."""

_PLAIN = {"–": "-", "—": "-", "−": "-", "×": "x", "→": "->", "≥": ">=", "≤": "<=", "ß": "ss", "ø": "o", "Ø": "O"}
_PLAIN |= {"ł": "l", "Ł": "L", "đ": "d", "æ": "ae", "Æ": "AE", "œ": "oe", "\u00a0": " ", "\u202f": " ", "\t": " "}
_WIDE = ("DejaVuSans.ttf", "Arial.ttf", "NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "Arial Unicode.ttf")


def face(size: int, text: str = "") -> ImageFont.FreeTypeFont:
    """Return the built-in font, or a font of this computer where only that one has all letters of the text."""
    if text and "?" in legible(text, _builtin(size)) and "?" not in text:
        for name in _WIDE:
            found = _installed(name, size)
            if found and all(_has(found, letter) for letter in text):
                return found
    return _builtin(size)


def legible(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Return the text in letters that the font has: accents fall off first, what is left unknown becomes "?"."""
    return "".join(_letters(letter, font) for letter in text if letter.isprintable() or letter == "\t")


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int, lines: int = 3) -> list[str]:
    """Break the text at spaces, and words that are wider than a line anywhere; the last line may end in an ellipsis."""
    made: list[str] = []
    line = ""
    for word in legible(text, font).split():
        trial = f"{line} {word}".strip()
        if font.getlength(trial) <= width:
            line = trial
            continue
        made += [line] if line else []
        line = word
        while font.getlength(line) > width and len(line) > 1:
            cut = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or font.getlength(line[:n]) <= width)
            made.append(line[:cut])
            line = line[cut:]
    made += [line] if line else []
    return made if len(made) <= lines else [*made[: lines - 1], shortened(" ".join(made[lines - 1 :]), font, width)]


def shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return the text, cut at the end with an ellipsis where it is wider than `width` pixels."""
    if font.getlength(text) <= width:
        return text
    return next(
        (text[:n].rstrip() + "…" for n in range(len(text), 0, -1) if font.getlength(text[:n] + "…") <= width), "…"
    )


def line_height(font: ImageFont.FreeTypeFont) -> int:
    """Return the distance between two lines in pixels."""
    ascent, descent = font.getmetrics()
    return round(1.15 * (ascent + descent))


def panel(
    lines: list[tuple[str, int, tuple[int, int, int]]], width: int, margin: int, limit: int = 3
) -> Image.Image | None:
    """Draw lines of text (text, size in pixels, colour) one under another, each wrapped; None if there is no text."""
    placed: list[tuple[str, ImageFont.FreeTypeFont, tuple[int, int, int], int]] = []
    height = 0
    for text, size, ink in lines:
        font = face(size, text)
        for line in wrap(text, font, width - 2 * margin, limit):
            placed.append((line, font, ink, height))
            height += line_height(font)
    if not placed:
        return None
    picture = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(picture)
    for line, font, ink, top in placed:
        pen.text((margin, top), line, fill=ink, font=font)
    return picture


def _letters(letter: str, font: ImageFont.FreeTypeFont) -> str:
    if letter in _PLAIN and not _has(font, letter):
        return _PLAIN[letter]
    if _has(font, letter):
        return letter
    bare = "".join(part for part in normalize("NFKD", letter) if not combining(part))
    return bare if bare and all(_has(font, part) for part in bare) else "?"


@cache
def _builtin(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # a Pillow built without FreeType has only one bitmap size
        raise RuntimeError("this Pillow has no FreeType and cannot draw text at a size; install a wheel from PyPI")
    return font


@cache
def _installed(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@cache
def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\U0010ffff"))
