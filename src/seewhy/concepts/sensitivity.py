"""Given concepts, tried: is each there, does it speak for or against classes, and what is lost without it?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.concepts.draws import LEVEL
from seewhy.concepts.erasure import Erasure
from seewhy.concepts.gate import Gate
from seewhy.concepts.tcav import Influence
from seewhy.concepts.vectors import ConceptVectors
from seewhy.contributions.plain import plain
from seewhy.errors import ConfigError, nearest


@dataclass(frozen=True)
class TriedConcept:
    """One concept, and all that was found about it.

    Attributes:
        name: of its folder.
        pictures: how many show it.
        gate: whether its pictures are told from random ones.
        corrected: the chance of the gate, corrected for all concepts.
        influences: on each class, in the order of the classes.
        erasure: what taking it out does; None where that was not asked.
    """

    name: str
    pictures: int
    gate: Gate
    corrected: float
    influences: tuple[Influence, ...]
    erasure: Erasure | None = None

    @property
    def verified(self) -> bool:
        """Whether the concept beats random ones at the gate."""
        return self.corrected <= LEVEL and self.gate.accuracy > 0.5


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How sensitive the classes of a network are to given concepts at a layer.

    Attributes:
        concepts: the strongest first: those that beat random ones, by the largest size of their effect; behind them the others.
        classes: names of those that were looked at, by index.
        vectors: the concepts as directions; scores new pictures, and is what readable models can read.
        layer: name of the layer.
        pictures: of the data set.
        others: what the concepts were set against.
        tests: concepts x classes, for which chances are corrected.
        draws: of random concepts.
        right: what "right" means where concepts are erased.
        left_out: concepts that could not be used, and why.
        broken: pictures that could not be read, and why.
        notes: what a reader must know.
        settings: of the computation.
        provenance: what made it.
    """

    concepts: tuple[TriedConcept, ...]
    classes: dict[int, str]
    vectors: ConceptVectors
    layer: str
    pictures: int
    others: str
    tests: int
    draws: int
    right: str
    left_out: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> TriedConcept:
        for concept in self.concepts:
            if concept.name == name:
                return concept
        near = nearest(name, [concept.name for concept in self.concepts])
        raise ConfigError(f"no concept {name!r} was tried{near and f'; nearest: {near}'}")

    def of(self, concept: str, category: str | int) -> Influence:
        """Return what a concept does to a class, by their names; raise `ConfigError` with the nearest."""
        for influence in self[concept].influences:
            if category in {influence.category, self.classes[influence.category]}:
                return influence
        near = nearest(str(category), list(self.classes.values()))
        raise ConfigError(f"class {category!r} was not looked at{near and f'; nearest: {near}'}")

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "layer": self.layer,
            "pictures": self.pictures,
            "others": self.others,
            "tests": self.tests,
            "draws": self.draws,
            "right": self.right,
            "concepts": [self._concept(concept) for concept in self.concepts],
            "left out": dict(self.left_out),
            "broken": dict(self.broken),
            "notes": list(self.notes),
            "settings": plain(self.settings),
            "provenance": plain(self.provenance),
        }

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write everything as JSON; the concepts themselves are saved by `vectors.save`.

        Raises:
            DataError: a file that exists (unless `force`), a place that cannot be written.
        """
        text = json.dumps(self.numbers(), indent=1, allow_nan=False)
        return render.write_bytes(Path(path), text.encode(), force=force)

    def _concept(self, concept: TriedConcept) -> dict[str, Any]:
        made: dict[str, Any] = {
            "name": concept.name,
            "pictures": concept.pictures,
            "verified": concept.verified,
            "gate": plain(concept.gate) | {"corrected": concept.corrected},
            "classes": {
                self.classes[one.category]: plain(one) | {"direction": one.direction} for one in concept.influences
            },
        }
        if concept.erasure is not None:
            named = {self.classes[index]: plain(one) for index, one in concept.erasure.classes.items()}
            made["erasure"] = plain(concept.erasure) | {"classes": named}
        return made
