"""Everything that is said about one unit, as plain values: the page, the picture and the JSON show the same."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from seewhy.contributions.table import Estimate
from seewhy.evaluation.unit_trust import Path, Trust
from seewhy.report.numbers import plain

FORMAT = "seewhy-unit-1"
"""Name and version of the layout of the numbers; a change that breaks readers raises the number."""


@dataclass(frozen=True, eq=False)
class MadePicture:
    """A picture that was made for the unit: the seed it began from, and the largest activation of the unit on it."""

    picture: Image.Image
    value: float
    seed: int


@dataclass(frozen=True, eq=False)
class NaturalPatch:
    """A natural picture, as the unit meets it.

    Attributes:
        crop: the part that the unit sees where it is most active, in colour.
        whole: the whole photo in grey, with the activation drawn over it; None for a layer without spatial axes.
        name: of the picture (untrusted text: escape it).
        value: largest activation of the unit on it.
        quantile: share of the natural pictures that are below it.
        label: its class, if known.
    """

    crop: Image.Image
    whole: Image.Image | None
    name: str
    value: float
    quantile: float | None
    label: str | None


@dataclass(frozen=True)
class ClassWeight:
    """What one natural deviation of the unit's activity adds to the logit of a class, with its 95 % interval."""

    name: str
    weight: Estimate

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.weight.low > 0 or self.weight.high < 0


@dataclass(frozen=True)
class CheckLine:
    """One check in words.

    Attributes:
        name: what is checked.
        holds: whether it holds; None where it could not be made.
        figure: the numbers.
        reading: what they mean.
    """

    name: str
    holds: bool | None
    figure: str
    reading: str


@dataclass(frozen=True, eq=False)
class UnitCard:
    """One unit of one network, over one data set.

    Attributes:
        layer, channel: which.
        units: how many its layer has.
        model, data: the network and the natural pictures, in words.
        pictures: how many natural pictures say what is usual.
        mean, deviation: of the unit's value on them.
        highest: its largest value on any natural picture, those of the search included.
        constant: the one value that the unit gave on all of them; None for a unit that lives.
        made: pictures made for it, the strongest first.
        top: the natural pictures that excite it most.
        strip: natural pictures from the lowest quantile to the highest.
        values: the unit's value on a random sample of natural pictures, ascending.
        speaks_for, speaks_against: classes, the heaviest first.
        classes: how many classes there are.
        importance: mean rise of the loss when the unit is taken away, with its interval; None where it was not measured.
        rank: its place among the units of the layer by that rise; None where the others were not measured.
        ablated, labelled: pictures on which it was taken away, and how many of them have a label.
        trust: the checks; `checks` says them in words.
        verdict: one sentence.
        cautions, notes: what a reader must see first, and what is good to know.
        command, provenance, cost: makes the card again; versions and settings; passes.
    """

    layer: str
    channel: int
    units: int
    model: str
    data: str
    pictures: int
    mean: float
    deviation: float
    highest: float
    constant: float | None
    made: tuple[MadePicture, ...]
    top: tuple[NaturalPatch, ...]
    strip: tuple[NaturalPatch, ...]
    values: tuple[float, ...]
    speaks_for: tuple[ClassWeight, ...]
    speaks_against: tuple[ClassWeight, ...]
    classes: int
    importance: Estimate | None
    rank: int | None
    ablated: int
    labelled: int
    trust: Trust | None
    checks: tuple[CheckLine, ...]
    verdict: str
    cautions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    cost: str = ""

    @property
    def unit(self) -> str:
        """Layer and channel: "blocks.8:20"."""
        return f"{self.layer}:{self.channel}"

    @property
    def path(self) -> Path | None:
        """The way of the made pictures through the network."""
        return self.trust.path if self.trust else None


def numbers(card: UnitCard) -> dict[str, Any]:
    """Return the card without its pictures, ready for JSON; a number that is not finite becomes None."""
    found: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "unit": card.unit,
            "layer": card.layer,
            "channel": card.channel,
            "units": card.units,
            "network": card.model,
            "data": {"name": card.data, "pictures": card.pictures},
            "natural": {
                "mean": card.mean,
                "deviation": card.deviation,
                "highest": card.highest,
                "constant": card.constant,
                "values": card.values,
            },
            "made": [{"seed": one.seed, "value": one.value} for one in card.made],
            "top": [_patch(patch) for patch in card.top],
            "strip": [_patch(patch) for patch in card.strip],
            "classes": {
                "of": card.classes,
                "unit": "logits per natural deviation of the unit's mean activation",
                "for": [_weight(one) for one in card.speaks_for],
                "against": [_weight(one) for one in card.speaks_against],
            },
            "importance": card.importance
            and {**_estimate(card.importance), "rank": card.rank, "pictures": card.ablated, "labelled": card.labelled},
            "trust": card.trust and _trust(card.trust),
            "checks": [
                {"name": check.name, "holds": check.holds, "figure": check.figure, "reading": check.reading}
                for check in card.checks
            ],
            "verdict": card.verdict,
            "cautions": card.cautions,
            "notes": card.notes,
            "cost": card.cost,
            "command": card.command,
            "provenance": card.provenance,
        }
    )
    return found


def _patch(patch: NaturalPatch) -> dict[str, Any]:
    return {"name": patch.name, "value": patch.value, "quantile": patch.quantile, "label": patch.label}


def _estimate(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _weight(one: ClassWeight) -> dict[str, Any]:
    return {"name": one.name, **_estimate(one.weight)}


def _trust(trust: Trust) -> dict[str, Any]:
    ran, ranked, agreed, path = trust.robustness, trust.rank, trust.agreement, trust.path
    return {
        "reached": {"value": trust.reached.value, "natural": trust.reached.natural, "ratio": trust.reached.ratio},
        "robustness": ran and {"mean": ran.mean, "worst": ran.worst, "views": ran.views},
        "rank": ranked
        and {"rank": ranked.rank, "units": ranked.units, "standing": ranked.standing, "first": ranked.first},
        "agreement": agreed
        and {
            "layer": agreed.layer,
            "made": agreed.made,
            "top": agreed.top,
            "usual": agreed.usual,
            "pictures": agreed.pictures,
        },
        "path": path
        and {
            "inside": path.inside,
            "index": path.index,
            "layers": [
                {
                    "layer": point.layer,
                    "made": point.made,
                    "top": point.top,
                    "low": point.low,
                    "high": point.high,
                    "usual": point.usual,
                    "index": point.index,
                }
                for point in path.points
            ],
        },
    }
