"""One schema for every kind of unit: what it does, how sure that is, and whether the ranking holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seewhy.core.values import Array


@dataclass(frozen=True)
class Estimate:
    """A mean over pictures with its 95 % bootstrap interval; the interval is the value itself, where there is one picture only."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Level:
    """The pictures that share one level of an attribute, against all others.

    Attributes:
        name: of the level: "cam 2", "21.5 to 40", "(missing)".
        pictures: how many have it.
        gap: their mean loss minus that of all other pictures; positive where the network does worse.
        p: chance of a gap as large where the level means nothing, corrected for all levels that were tried; None where it was not tested.
    """

    name: str
    pictures: int
    gap: Estimate
    p: float | None = None


@dataclass(frozen=True)
class Weight:
    """What one unit does.

    Attributes:
        unit: its name.
        score: mean fall of the target's score when the unit is taken away; positive speaks for the target.
        magnitude: mean of the fall's absolute value.
        loss: mean rise of the loss (minus the log-probability of the label).
        classes: the fall of the score over the pictures of each class, by name.
        note: what a reader must know: "always zero", "moves with channel 7".
        p: chance of an effect on the loss as large where the unit does nothing, corrected for all units that were tried; None where it was
            not tested.
        levels: of an attribute, the worst first.
        figures: other numbers about the unit, by name: "accuracy" is the share of pictures that keep their class without it, "area" its
            share of the picture, "share" its share of the effects of all units, "lift" that share over that of the area.
    """

    unit: str
    score: Estimate
    magnitude: Estimate
    loss: Estimate
    classes: Mapping[str, Estimate] = field(default_factory=dict)
    note: str = ""
    p: float | None = None
    levels: tuple[Level, ...] = ()
    figures: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """Accuracy while units are taken away in an order, the first of the order first.

    Attributes:
        order: "this ranking", "random order", "by activation".
        removed: how many units are gone.
        accuracy: share of pictures that keep their class, at each of them.
        area: mean of the accuracy over the shares of units removed: small where the order finds what matters.
    """

    order: str
    removed: tuple[int, ...]
    accuracy: tuple[Estimate, ...]
    area: Estimate


@dataclass(frozen=True)
class Check:
    """Whether the ranking is true.

    Attributes:
        curves: of this ranking and of the controls.
        gap: area of the random orders minus area of this ranking; above zero the ranking knows something.
        stability: Spearman's correlation of the rankings of two halves of the data; None where there are too few pictures.
        words: the verdict in one sentence.
        measure: what the curves show: "accuracy"; for attributes "share of the loss explained".
    """

    curves: tuple[Curve, ...]
    gap: Estimate
    stability: float | None
    words: str
    measure: str = "accuracy"


@dataclass(frozen=True)
class Interaction:
    """What two units do together beyond what each does alone: positive where they need each other."""

    first: str
    second: str
    score: Estimate


@dataclass(frozen=True)
class Importance:
    """How much each unit of one kind contributes.

    Attributes:
        kind: "regions", "channels", ...
        weights: the units, the largest magnitude first.
        replacement: what stood where a unit was taken away, in words.
        pictures: how many.
        target: what was asked, in words.
        unit: of the score.
        labels: what the loss is about: "labels", or "the network's own answers" where no labels are known.
        layer: where the units are; empty for those of the input.
        check: of the ranking; None where there is nothing to remove from.
        interactions: the strongest pairs.
        notes: what a reader must know.
        broken: pictures that could not be read, with the reason.
        provenance: what made it.
        places: for units of one photo, which of the weights each pixel of the network's input belongs to (h, w), from 0; -1 is none.
        explained: for attributes, the share of the variance that they explain: of the "loss", of the "score".
        figures: numbers about all units together: "accuracy" is the share of pictures whose class the network finds with nothing gone; for
            Shapley values, "everything" is the score, "nothing" the score with all units gone.
    """

    kind: str
    weights: tuple[Weight, ...]
    replacement: str
    pictures: int
    target: str
    unit: str
    labels: str
    layer: str = ""
    check: Check | None = None
    interactions: tuple[Interaction, ...] = ()
    notes: tuple[str, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    places: Array | None = None
    explained: Mapping[str, Estimate] = field(default_factory=dict)
    figures: Mapping[str, Estimate] = field(default_factory=dict)
