"""The card of a unit as one picture, to be shown and passed on."""

from collections.abc import Sequence

from PIL import Image

from seewhy.render.bar import figures
from seewhy.render.bars import Bars, bars
from seewhy.render.chart import Colour, Scale, captioned
from seewhy.render.contact import contact
from seewhy.render.curves import Line, curves
from seewhy.render.overlay import stacked
from seewhy.render.text import INK, PAPER, SOFT, panel
from seewhy.report.axis import Axis, axis
from seewhy.report.unit import NaturalPatch, UnitCard
from seewhy.report.unit_words import CREED, importance_of

WIDTH = 1240
_GAP = 14
_ACCENT: Colour = (166, 60, 11)
_MARKS = {True: "holds", False: "does not hold", None: "open"}


def unit_picture(card: UnitCard) -> Image.Image:
    """Draw the card: made pictures beside natural ones, the strip, the checks, the classes."""
    head = panel([(f"unit {card.unit}", 30, INK), (_subtitle(card), 15, SOFT), (card.verdict, 19, INK)], WIDTH, _GAP)
    cautions = panel([(line, 15, _ACCENT) for line in card.cautions], WIDTH, _GAP)
    foot = panel([(line, 14, SOFT) for line in CREED], WIDTH, _GAP)
    parts = [head, cautions, _pictures(card), _strip(card), _checks(card), _way(card), _classes(card), foot]
    return stacked([part for part in parts if part is not None], _GAP)


def _subtitle(card: UnitCard) -> str:
    return f"{card.model}, one of {card.units} units of this layer, {card.pictures} pictures of {card.data}"


def _pictures(card: UnitCard) -> Image.Image:
    """Draw the made pictures on the left and the strongest natural ones on the right."""
    half = (WIDTH - 2 * _GAP) // 2
    left = _sheet(
        [(one.picture, (figures(one.value), f"start {one.seed}")) for one in card.made], 2, 276, "Made for it", half
    )
    right = _sheet(
        [(patch.crop, _caption(patch)) for patch in card.top], 3, 168, "Natural patches that excite it most", half
    )
    return _beside(left, right)


def _strip(card: UnitCard) -> Image.Image | None:
    cells = [(patch.whole or patch.crop, _caption(patch)) for patch in card.strip]
    title = "From the weakest to the strongest: where it is active, on one scale"
    return _sheet(cells, max(1, len(cells)), 124, title, WIDTH) if cells else None


def _caption(patch: NaturalPatch) -> tuple[str, str]:
    return figures(patch.value), patch.label or patch.name


def _sheet(
    cells: Sequence[tuple[Image.Image, Sequence[str]]], columns: int, cell: int, title: str, width: int
) -> Image.Image:
    """Draw pictures under a title; a line where there are none."""
    if cells:
        return _widened(contact(cells, columns=columns, cell=(cell, cell), title=title), width)
    words = panel([(title, 20, INK), ("none", 15, SOFT)], width, _GAP)
    return words or Image.new("RGB", (width, 1), PAPER)


def _checks(card: UnitCard) -> Image.Image | None:
    lines: list[tuple[str, int, Colour]] = [("How far to trust the made pictures", 20, INK)]
    for check in card.checks:
        ink = _ACCENT if check.holds is False else INK
        lines += [(f"{check.name}: {_MARKS[check.holds]}", 16, ink), (f"{check.figure}. {check.reading}", 15, SOFT)]
    return panel(lines, WIDTH, _GAP) if card.checks else None


def _way(card: UnitCard) -> Image.Image | None:
    if card.path is None:
        return None
    points = card.path.points
    across = Scale(tuple((n + 1.0, str(n + 1)) for n in range(max(2, len(points)))))
    ends = [value for p in points for value in (p.made, p.low, p.high, p.usual, p.top)]
    x = [n + 1.0 for n in range(len(points))]

    def line(name: str, field: str, colour: Colour, *, dashed: bool = False) -> Line:
        y = [getattr(p, field) for p in points]
        return Line(name, x, y, y, y, colour, dashed)

    top = [p.top for p in points]
    lines = [
        Line("strongest natural pictures", x, top, [p.low for p in points], [p.high for p in points], INK),
        line("any natural picture", "usual", SOFT, dashed=True),
        line("made pictures", "made", _ACCENT),
    ]
    names = "layers: " + ", ".join(f"{n + 1} {p.layer}" for n, p in enumerate(points))
    labels = ("layers on the way to the unit", "rank correlation")
    title = "The way through the network: likeness to the strongest natural pictures"
    return curves(
        lines,
        across,
        scale_of(axis(ends, from_zero=False)),
        labels=labels,
        width=WIDTH,
        height=270,
        title=title,
        notes=(names,),
    )


def _classes(card: UnitCard) -> Image.Image | None:
    if card.importance is None:
        return None
    listed = (*card.speaks_for, *reversed(card.speaks_against))
    title = "What it does to the answer"
    about = f"{importance_of(card)}."
    if not listed:
        return captioned(
            Image.new("RGB", (WIDTH, 1), PAPER), WIDTH, title, (about, "No class whose interval leaves zero out.")
        )
    estimates = [one.weight for one in listed]
    values, lows, highs = ([getattr(one, end) for one in estimates] for end in ("value", "low", "high"))
    column = Bars(
        "logits per natural deviation of its mean activation, 95 % intervals",
        values,
        lows,
        highs,
        [f"{value:+.3g}" for value in values],
        scale_of(axis([*lows, *highs, 0.0], from_zero=False)),
    )
    return bars([one.name for one in listed], [column], width=WIDTH, title=title, notes=(about,))


def scale_of(shown: Axis) -> Scale:
    """Return an axis as the scale of a chart."""
    return Scale(tuple(zip(shown.ticks, shown.labels, strict=True)))


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    whole = Image.new("RGB", (WIDTH, max(left.height, right.height)), PAPER)
    whole.paste(left, (0, 0))
    whole.paste(right, (WIDTH - right.width, 0))
    return whole


def _widened(picture: Image.Image, width: int) -> Image.Image:
    whole = Image.new("RGB", (max(width, picture.width), picture.height), PAPER)
    whole.paste(picture, (0, 0))
    return whole
