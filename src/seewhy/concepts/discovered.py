"""Concepts that were found in the features of a data set, with what is known about each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.naming import ClassShare
from seewhy.concepts.pictures import ConceptPictures, Lit
from seewhy.contributions.plain import plain
from seewhy.contributions.table import Estimate
from seewhy.data.features import Features
from seewhy.errors import DataError
from seewhy.render import write_bytes
from seewhy.render.bar import figures, percent

FORMAT = 1
"""Version of the file that `Concepts.save` writes."""
SHOWN = 12
"""Concepts that the short form lists."""
STEADY = 0.8
"""Stability from which on a concept is taken to come back in other data."""


@dataclass(frozen=True)
class Concept:
    """One concept, and what is known about it.

    Attributes:
        number: its place in the dictionary.
        name: from classes, from a function of the user's, or its number.
        size: mean magnitude of what it does to the score of each picture's class, or, by Sobol, its mean share of the score's variance; concepts are
            ranked by it. None where the network cannot be replayed from the layer.
        effect: the same with its sign: positive speaks for the classes of the pictures; None likewise, and by Sobol.
        loss: mean rise of the loss (minus the log-probability of the class) when it is taken away alone.
        share: of the activations' variance by which the dictionary explains less without it.
        stability: |cosine| to the concept that is found again from other starts and in halves of the pictures, the lower of both; None where there were
            too few pictures.
        prevalence: share of the pictures in which it is at least half as strong as in its strongest ones.
        classes: met more often among its strongest pictures than among all, surely so.
        speaks_for: answers that fall most when it is taken away, against the mean of all answers, with what they fall by on average.
        effects: the effect over the pictures of each class.
        top: its strongest pictures.
        note: why it is none: it is active nowhere, or the same everywhere; "" for all others.
    """

    number: int
    name: str
    size: Estimate | None
    effect: Estimate | None
    loss: Estimate | None
    share: float
    stability: float | None
    prevalence: float
    classes: tuple[ClassShare, ...] = ()
    speaks_for: Mapping[str, float] = field(default_factory=dict)
    effects: Mapping[str, Estimate] = field(default_factory=dict)
    top: tuple[Lit, ...] = ()
    note: str = ""

    @property
    def dead(self) -> bool:
        """Whether it is active nowhere, or the same everywhere."""
        return bool(self.note)

    @property
    def steady(self) -> bool:
        """Whether it is taken to come back in other data; not known counts as no."""
        return self.stability is not None and self.stability >= STEADY


@dataclass(frozen=True)
class Figures:
    """What is known about all concepts together.

    Attributes:
        explained: share of the activations' variance that the dictionary explains.
        agreement: share of the pictures whose predicted class stays when the layer is rebuilt from the concepts alone; None where the network
            cannot be replayed from the layer.
        logits: share of the variance of the answers that is kept then; None likewise.
        control: the agreement with as many random directions in the place of the concepts; None likewise.
        chance: what the stability of random directions would be; None where stability is not known.
        additive: whether the effects of concepts add up.
        weighed: pictures on which importance was measured.
    """

    explained: float
    agreement: Estimate | None = None
    logits: float | None = None
    control: Estimate | None = None
    chance: float | None = None
    additive: bool | None = None
    weighed: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Concepts:
    """What a layer's features are made of, most important first.

    Attributes:
        concepts: the most important first; without importance, the one that explains most first.
        dictionary: of the concepts, named; concept i of it is the one whose `number` is i.
        features: of the pictures that they were found in.
        figures: what is known about all together.
        by: how importance was measured.
        notes: what a reader must know.
        provenance: how it was made.
        pictures: sees the data set through the dictionary.
        classes: the class of each picture as people call it, where that is known.
    """

    concepts: tuple[Concept, ...]
    dictionary: Dictionary
    features: Features
    figures: Figures
    pictures: ConceptPictures
    classes: tuple[str | None, ...]
    by: str = "shapley"
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.concepts)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self.concepts)

    def __getitem__(self, number: int) -> Concept:
        """Return a concept by its number in the dictionary."""
        return self._by_number[number]

    @cached_property
    def _by_number(self) -> dict[int, Concept]:
        return {one.number: one for one in self.concepts}

    @property
    def living(self) -> tuple[Concept, ...]:
        """Those that are in some picture."""
        return tuple(one for one in self.concepts if not one.dead)

    def numbers(self) -> dict[str, Any]:
        """Return everything but the arrays as plain values, ready for JSON; a number that is not finite is None."""
        return {
            "format": FORMAT,
            "layer": self.dictionary.layer,
            "kind": self.dictionary.key,
            "pictures": len(self.features),
            "by": self.by,
            "figures": plain(self.figures),
            "concepts": [plain(one) for one in self.concepts],
            "notes": list(self.notes),
            "broken": dict(self.features.data.broken),
            "settings": plain(dict(self.dictionary.settings)),
            "provenance": plain(dict(self.provenance)),
        }

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the numbers to a `.json` file, and the dictionary beside it as `.safetensors`, to be used by `seewhy distill --on` and others.

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        if path.suffix != ".json":
            raise DataError(f"{path.name}: concepts are written as .json, not {path.suffix or 'without an ending'}")
        beside = path.with_suffix(".safetensors")
        if beside.exists() and not force:
            raise DataError(f"{beside} is there already; pass force=True to overwrite it")
        made = write_bytes(path, json.dumps(self.numbers(), indent=1, allow_nan=False).encode(), force=force)
        self.dictionary.save(beside, force=force)
        return made

    def __repr__(self) -> str:
        wide = max((len(one.name) for one in self.concepts[:SHOWN]), default=0)
        lines = [self.head, *(f"{place:3d}  {one.name:{wide}s}  {facts(one, self.by)}" for place, one in self._first)]
        return "\n".join([*lines, *([f"     … and {len(self) - SHOWN} more"] if len(self) > SHOWN else [])])

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        rows = "".join(
            f"<tr><td>{place}</td><td>{escape(one.name)}</td><td>{escape(facts(one, self.by))}</td></tr>"
            for place, one in self._first
        )
        return f"<table><caption>{escape(self.head)}</caption><tbody>{rows}</tbody></table>"

    @property
    def _first(self) -> Sequence[tuple[int, Concept]]:
        return list(enumerate(self.concepts[:SHOWN], 1))

    @property
    def head(self) -> str:
        """What was found, in one line."""
        found = self.figures
        kept = "" if found.agreement is None else f" and keeps {percent(found.agreement.value)} of the predictions"
        return (
            f"{len(self)} concepts ({self.dictionary.title}) of {self.dictionary.layer}, {len(self.features)} pictures: "
            f"together they explain {percent(max(0.0, found.explained))} of the activations' variance{kept}"
        )


def facts(one: Concept, by: str) -> str:
    """Return what is known about a concept in one line."""
    if one.note:
        return one.note
    parts = []
    if one.size is not None:
        low, high = figures(one.size.low), figures(one.size.high)
        what = "share of variance" if by == "sobol" else "importance"
        parts.append(f"{what} {figures(one.size.value)} ({low} to {high})")
    parts.append(f"share {percent(max(0.0, one.share))}")
    parts.append("stability not known" if one.stability is None else f"stability {one.stability:.2f}")
    parts.append(f"in {percent(one.prevalence)} of the pictures")
    return ", ".join(parts)
