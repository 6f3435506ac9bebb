"""All units of a layer, each on a small card: what the atlas page and its JSON show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from seewhy.contributions.table import Estimate
from seewhy.evaluation.layer_study import QuickStudy
from seewhy.evaluation.natural import Natural
from seewhy.evaluation.unit_effects import Running
from seewhy.evaluation.unit_trust import OwnRank, Reached
from seewhy.render.scene import resized
from seewhy.render.text import PAPER
from seewhy.report.numbers import plain
from seewhy.report.unit import ClassWeight
from seewhy.report.unit_card import as_picture, class_name
from seewhy.visualization.examples import ChannelExamples, Example, Examples

FORMAT = "seewhy-atlas-1"
"""Name and version of the layout of the numbers."""
CLASSES = 4
"""Classes, at most, that are named on each side."""


@dataclass(frozen=True, eq=False)
class Row:
    """Natural pictures side by side in one picture, with what is said of each.

    Attributes:
        picture: all patches in a row, each a square.
        values: largest activation of the unit on each.
        names: class of each, or its file.
        quantiles: share of the natural pictures below each.
    """

    picture: Image.Image
    values: tuple[float, ...]
    names: tuple[str, ...]
    quantiles: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class AtlasUnit:
    """One unit of the layer.

    Attributes:
        channel: its number.
        made: pictures made for it, side by side; `values` is its largest activation on each.
        top, strip: natural pictures that excite it most, and from the weakest to the strongest; None where there are none.
        constant: the one value that it gave on all natural pictures; None for a unit that lives.
        reached, rank, agreement: the checks that cost little; see `seewhy.evaluation.unit_trust`.
        importance: mean rise of the loss without it; `place` is its place among the units of the atlas by that.
        speaks_for, speaks_against: classes, the heaviest first.
    """

    channel: int
    made: Image.Image
    values: tuple[float, ...]
    top: Row | None
    strip: Row | None
    constant: float | None
    reached: Reached
    rank: OwnRank | None
    agreement: float | None
    importance: Estimate | None
    place: int | None
    speaks_for: tuple[ClassWeight, ...]
    speaks_against: tuple[ClassWeight, ...]


@dataclass(frozen=True, eq=False)
class Atlas:
    """All units of a layer, or those that were asked for.

    Attributes:
        layer, model, data: where, of what, over which natural pictures, in words.
        of: how many units the layer has.
        units: those that are done.
        asked: how many were wanted.
        pictures, ablated: natural pictures that say what is usual, and on which each unit was taken away.
        cautions: what a reader must see first.
        command, provenance, cost: makes the atlas again; versions and settings; passes.
    """

    layer: str
    model: str
    data: str
    of: int
    units: tuple[AtlasUnit, ...]
    asked: int
    pictures: int
    ablated: int
    cautions: tuple[str, ...] = ()
    command: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    cost: str = ""


@dataclass(frozen=True, eq=False)
class Drawing:
    """Draws the rows of natural pictures of an atlas.

    Attributes:
        found: the search.
        layer: the layer.
        labels: names of the classes.
        side: of a patch, in pixels.
    """

    found: Examples
    layer: str
    labels: Sequence[str] | None
    side: int

    def rows(self, examples: ChannelExamples, most: int) -> tuple[Row | None, Row | None]:
        """Return the strongest examples of a unit, and those from the weakest to the strongest, at most so many of each."""
        top, strip = _thinned(examples.top, most), _thinned(examples.strip, most)
        pictures = self.found.crops((*top, *strip), self.layer, self.side)
        return self._row(top, pictures[: len(top)]), self._row(strip, pictures[len(top) :])

    def _row(self, examples: Sequence[Example], pictures: Sequence[Image.Image]) -> Row | None:
        if not examples:
            return None
        return Row(
            side_by_side(pictures, self.side),
            tuple(example.value for example in examples),
            tuple(self._name(example) for example in examples),
            tuple(example.quantile for example in examples),
        )

    def _name(self, example: Example) -> str:
        if example.label is not None:
            return class_name(self.labels, example.label)
        return example.name.replace("\\", "/").rsplit("/", 1)[-1]


def _thinned(examples: Sequence[Example], most: int) -> list[Example]:
    """Return at most so many examples, evenly chosen, the first and the last among them."""
    count = min(most, len(examples))
    return [examples[round(n * (len(examples) - 1) / max(1, count - 1))] for n in range(count)]


def side_by_side(pictures: Sequence[Image.Image], side: int, gap: int = 2) -> Image.Image:
    """Return pictures in a row, each within a square of so many pixels."""
    whole = Image.new("RGB", (len(pictures) * (side + gap) - gap, side), PAPER)
    for number, picture in enumerate(pictures):
        factor = side / max(picture.size)
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        drawn = resized(picture, size)
        whole.paste(drawn, (number * (side + gap) + (side - size[0]) // 2, (side - size[1]) // 2))
    return whole


def units_of(
    studies: Iterable[QuickStudy],
    usual: Natural,
    running: Running | None,
    drawing: Drawing,
    side: int,
) -> Iterable[AtlasUnit]:
    """Yield the card of each unit as soon as its pictures are made.

    Args:
        studies: what was found out, unit after unit.
        usual: what natural pictures give.
        running: what happens without each unit; None where it was not measured.
        drawing: draws the natural examples.
        side: of a made picture, in pixels.
    """
    places = {} if running is None else _places(running)
    for study in studies:
        top, strip = drawing.rows(drawing.found.of(usual.layer, study.channel), 6)
        lives = not usual.dead(study.channel)
        at = running.channels.index(study.channel) if running is not None and lives else None
        speaks_for: tuple[ClassWeight, ...] = ()
        speaks_against: tuple[ClassWeight, ...] = ()
        importance: Estimate | None = None
        if running is not None and at is not None:
            speaks_for, speaks_against = weights_of(running, at, drawing.labels)
            importance = running.importance(at)
        yield AtlasUnit(
            channel=study.channel,
            made=side_by_side([as_picture(image) for image in study.images], side),
            values=tuple(study.values.tolist()),
            top=top,
            strip=strip,
            constant=None if lives else float(usual.highest[study.channel]),
            reached=study.reached,
            rank=study.rank,
            agreement=study.agreement,
            importance=importance,
            place=None if importance is None else places[study.channel],
            speaks_for=speaks_for,
            speaks_against=speaks_against,
        )


def _places(running: Running) -> dict[int, int]:
    """Return the place of each unit by the mean rise of the loss without it, the largest first."""
    rises = [running.importance(at).value for at in range(len(running.channels))]
    order = sorted(range(len(rises)), key=lambda at: -rises[at])
    return {running.channels[at]: place for place, at in enumerate(order, 1)}


def weights_of(
    running: Running, at: int, labels: Sequence[str] | None
) -> tuple[tuple[ClassWeight, ...], tuple[ClassWeight, ...]]:
    """Return the classes that a unit speaks for and against; only those whose interval leaves zero out."""
    values, halves = running.weights(at)
    made = []
    for k in values.argsort(descending=True, stable=True).tolist():
        value, half = float(values[k]), float(halves[k])
        made.append(ClassWeight(class_name(labels, k), Estimate(value, value - half, value + half)))
    clear = [one for one in made if one.clear]
    return (
        tuple(one for one in clear if one.weight.value > 0)[:CLASSES],
        tuple(one for one in reversed(clear) if one.weight.value < 0)[:CLASSES],
    )


def atlas_numbers(atlas: Atlas) -> dict[str, Any]:
    """Return the atlas without its pictures, ready for JSON."""
    found: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "layer": atlas.layer,
            "network": atlas.model,
            "data": {"name": atlas.data, "pictures": atlas.pictures, "ablated": atlas.ablated},
            "of": atlas.of,
            "asked": atlas.asked,
            "units": [_unit(unit) for unit in atlas.units],
            "cautions": atlas.cautions,
            "cost": atlas.cost,
            "command": atlas.command,
            "provenance": atlas.provenance,
        }
    )
    return found


def _unit(unit: AtlasUnit) -> dict[str, Any]:
    weight = unit.importance
    return {
        "channel": unit.channel,
        "made": unit.values,
        "top": _row(unit.top),
        "strip": _row(unit.strip),
        "constant": unit.constant,
        "reached": {"value": unit.reached.value, "natural": unit.reached.natural, "ratio": unit.reached.ratio},
        "rank": unit.rank and {"rank": unit.rank.rank, "units": unit.rank.units, "standing": unit.rank.standing},
        "agreement": unit.agreement,
        "importance": weight and {"value": weight.value, "low": weight.low, "high": weight.high, "place": unit.place},
        "for": [_weight(one) for one in unit.speaks_for],
        "against": [_weight(one) for one in unit.speaks_against],
    }


def _row(row: Row | None) -> list[dict[str, Any]]:
    if row is None:
        return []
    listed = zip(row.names, row.values, row.quantiles, strict=True)
    return [{"name": name, "value": value, "quantile": quantile} for name, value, quantile in listed]


def _weight(one: ClassWeight) -> dict[str, Any]:
    return {"name": one.name, "value": one.weight.value, "low": one.weight.low, "high": one.weight.high}
