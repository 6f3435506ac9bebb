"""A table of importance as one picture: the photo, the bars, the check of the ranking, the classes."""

from collections.abc import Sequence

from PIL import Image

from seewhy.contributions.table import Check, Curve, Importance, Weight
from seewhy.core.sample import Sample
from seewhy.render.bars import Bars, bars
from seewhy.render.chart import Colour, Scale, captioned
from seewhy.render.curves import Line, curves
from seewhy.render.heat_table import heat_table
from seewhy.render.overlay import stacked
from seewhy.render.text import PAPER
from seewhy.report import importance_words as words
from seewhy.report.axis import axis
from seewhy.report.importance_map import weight_map
from seewhy.report.importance_table import per_class

WIDTH = 1000
MOST_BARS = 30
OWN: Colour = (166, 60, 11)
OTHER: Colour = (91, 70, 168)
CHANCE: Colour = (95, 91, 84)


def importance_picture(found: Importance, name: str = "", sample: Sample | None = None) -> Image.Image:
    """Draw the table.

    Args:
        found: the table.
        name: of the data.
        sample: for units of one photo, the photo.
    """
    title = captioned(Image.new("RGB", (WIDTH, 1), PAPER), WIDTH, words.heading(found), words.asked(found, name))
    parts: list[Image.Image | None] = [title.crop((0, 0, title.width, title.height))]
    if sample is not None and found.places is not None:
        parts.append(weight_map(found, sample))
    parts += [bar_chart(found), check_chart(found), class_chart(found)]
    return stacked(parts, 22)


def bar_chart(found: Importance) -> Image.Image:
    """Draw the effects of the first units with their intervals."""
    shown = found.weights[:MOST_BARS]
    columns = [_bars(found, which, title, shown) for which, title in words.columns(found)]
    taken = "shuffled" if found.kind == "attributes" else "in its place"
    left = f"the first {len(shown)} of {len(found.weights)}; " if len(shown) < len(found.weights) else ""
    sure = any(
        words.effect(weight, which).high > words.effect(weight, which).low
        for weight in shown
        for which in ("score", "loss")
    )
    intervals = "; lines are 95 % intervals" if sure else ""
    chances = [f"{weight.unit}: {words.chance_words(weight.p)}" for weight in shown[:8] if weight.p is not None]
    notes = (
        f"{left}n = {found.pictures}; {taken}: {found.replacement}{intervals}",
        "ranked by the mean size of the change of the score, up or down" if words.shows_size(found) else "",
        words.explained_line(found),
        f"corrected p-values: {'; '.join(chances)}" if chances else "",
    )
    return bars([weight.unit for weight in shown], columns, width=WIDTH, notes=notes)


def _bars(found: Importance, which: str, title: str, shown: Sequence[Weight]) -> Bars:
    effects = [words.effect(weight, which) for weight in shown]
    return Bars(
        title,
        [one.value for one in effects],
        [one.low for one in effects],
        [one.high for one in effects],
        [words.estimate_text(one, found) for one in effects],
        _scale(
            [0.0, *(end for one in effects for end in (one.value, one.low, one.high))],
            percents=found.kind == "attributes",
        ),
    )


def check_chart(found: Importance) -> Image.Image | None:
    """Draw the curves of the check and its sentence; the sentence alone where there are no curves."""
    line = words.check_line(found)
    if found.check is None:
        return captioned(Image.new("RGB", (WIDTH, 1), PAPER), WIDTH, "", (line,))
    return curves(
        [_line(curve) for curve in reversed(found.check.curves)],
        _counts(found.check),
        _scale(
            [end for curve in found.check.curves for one in curve.accuracy for end in (one.low, one.high)],
            from_zero=True,
        ),
        labels=("attributes shuffled" if found.kind == "attributes" else "units taken away", found.check.measure),
        width=WIDTH,
        title=f"Does the ranking hold? {words.verdict(found).capitalize()}.",
        notes=(line,),
    )


def class_chart(found: Importance) -> Image.Image | None:
    """Draw the effect of each unit on each class; None where there are fewer than two classes."""
    table = per_class(found)
    if table is None:
        return None
    return heat_table(
        table.units,
        table.classes,
        table.values,
        table.texts,
        limit=table.limit,
        width=WIDTH,
        title="Class by class",
        notes=(
            "mean fall of the score over the pictures of each class; orange speaks for the answer, purple against it",
            table.left,
        ),
    )


def _line(curve: Curve) -> Line:
    heights = curve.accuracy
    colour = {"this ranking": OWN, "random order": CHANCE}.get(curve.order, OTHER)
    return Line(
        f"{curve.order}, area {curve.area.value:.2f}",
        curve.removed,
        [one.value for one in heights],
        [one.low for one in heights],
        [one.high for one in heights],
        colour,
        dashed=curve.order == "random order",
    )


def _counts(check: Check) -> Scale:
    """Return a scale from no unit to all, with round numbers on it."""
    last = max(check.curves[0].removed)
    made = axis([0.0, float(last)], from_zero=True)
    ticks = [
        (tick, label) for tick, label in zip(made.ticks, made.labels, strict=True) if tick < 0.92 * last or tick == last
    ]
    return Scale(tuple(ticks if ticks[-1][0] == last else [*ticks, (float(last), str(last))]))


def _scale(values: Sequence[float], *, from_zero: bool = False, percents: bool = False) -> Scale:
    made = axis(list(values), from_zero=from_zero, most=8 if from_zero else 5)
    labels = [words.signed_percent(tick) for tick in made.ticks] if percents else list(made.labels)
    return Scale(tuple(zip(made.ticks, labels, strict=True)))
