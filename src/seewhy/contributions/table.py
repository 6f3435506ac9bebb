"""One schema for every kind of unit: what it does, how sure that is, and whether the ranking holds."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from seewhy.contributions.plain import plain, record
from seewhy.core.values import Array
from seewhy.errors import DataError
from seewhy.render import write_bytes

FORMAT = 1
"""Version of the file that `Importance.save` writes."""
SHOWN = 10
"""Units that the short form lists."""
MOST_BYTES = 1 << 28
"""Largest file that is read."""


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
        beats: share of the random orders that do worse than this ranking, equal ones counted half; None where it was not counted.
    """

    curves: tuple[Curve, ...]
    gap: Estimate
    stability: float | None
    words: str
    measure: str = "accuracy"
    beats: float | None = None


@dataclass(frozen=True)
class Interaction:
    """What two units do together beyond what each does alone: the fall of the score without both, minus the falls without each.

    Positive where each makes up for the loss of the other, negative where they need each other: then the second has little left to take away.
    """

    first: str
    second: str
    score: Estimate


@dataclass(frozen=True, repr=False)
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

    def top(self, count: int) -> tuple[Weight, ...]:
        """Return the first units of the ranking."""
        return self.weights[:count]

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON; a number that is not finite is None."""
        return {"format": FORMAT, **plain(self)}

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the numbers to a `.json` file.

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        if path.suffix != ".json":
            raise DataError(f"{path.name}: importance is written as .json, not {path.suffix or 'without an ending'}")
        return write_bytes(path, json.dumps(self.numbers(), indent=1, allow_nan=False).encode(), force=force)

    @classmethod
    def load(cls, path: str | Path) -> "Importance":
        """Read what `save` wrote.

        Raises:
            DataError: no such file, too large, damaged, or of another version.
        """
        path = Path(path)
        try:
            if path.stat().st_size > MOST_BYTES:
                raise DataError(f"{path}: {path.stat().st_size} bytes are too many for a table of importance")
            given = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise DataError(f"{path}: no such file") from None
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: not a file of importance ({error})") from error
        version = given.get("format") if isinstance(given, dict) else None
        if version != FORMAT:
            raise DataError(f"{path}: importance of format {FORMAT} is read, this is {version!r}")
        return record(cls, given)

    def __repr__(self) -> str:
        width = max((len(weight.unit) for weight in self.top(SHOWN)), default=0)
        lines = [self._head]
        lines += [
            f"{place:3d}  {weight.unit:{width}s}  {_interval(weight.score)} {self.unit} (size {weight.magnitude.value:.3f}), loss {_interval(weight.loss)}"
            for place, weight in enumerate(self.top(SHOWN), 1)
        ]
        lines += [f"     … and {len(self.weights) - SHOWN} more"] if len(self.weights) > SHOWN else []
        return "\n".join([*lines, *([self.check.words] if self.check else [])])

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        rows = "".join(
            f"<tr><td>{place}</td><td>{escape(weight.unit)}</td><td>{_interval(weight.score)}</td>"
            f"<td>{weight.magnitude.value:.3f}</td><td>{_interval(weight.loss)}</td></tr>"
            for place, weight in enumerate(self.top(SHOWN), 1)
        )
        return (
            f"<table><caption>{escape(self._head)}</caption><thead><tr><th></th><th>unit</th><th>score ({escape(self.unit)})</th>"
            f"<th>size</th><th>loss</th></tr></thead><tbody>{rows}</tbody></table>"
            + (f"<p>{escape(self.check.words)}</p>" if self.check else "")
        )

    @property
    def _head(self) -> str:
        """What was measured, in one line."""
        where = f" of {self.layer}" if self.layer else ""
        pictures = f"{self.pictures} picture{'' if self.pictures == 1 else 's'}"
        return (
            f"Importance of {self.kind}{where} ({len(self.weights)} units) for {self.target}, {pictures}; in the place of what is taken away: "
            f"{self.replacement}; loss: {self.labels}"
        )


def _interval(value: Estimate) -> str:
    """Write an estimate: value, and interval where there is one."""
    if value.low == value.high:
        return f"{value.value:+.3f}"
    if not math.isfinite(value.high - value.low):
        return f"{value.value:+.3f} (interval not known)"
    return f"{value.value:+.3f} ({value.low:+.3f} to {value.high:+.3f})"
