"""Try given concepts on a network: gate, TCAV and erasure from cached features and the head, without a pass over any picture."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.concepts.draws import LEAST, LEVEL, draws_for
from seewhy.concepts.erasure import PICTURES, Eraser
from seewhy.concepts.examples import Examples, settled
from seewhy.concepts.gate import gate
from seewhy.concepts.sensitivity import Sensitivity, TriedConcept
from seewhy.concepts.tcav import Influence, Pull, Trial, influences
from seewhy.concepts.vectors import ConceptVectors
from seewhy.data.features import Features
from seewhy.engine.head import Head
from seewhy.errors import DataError
from seewhy.ops.chance import holm

POOL = 500
"""Random pictures that a concept is set against at most."""
OF_CLASS = 200
"""Pictures of a class at which gradients are taken at most."""
LOGISTIC_DRAWS = 1999
"""Random concepts where each takes a fit of many steps."""
GATE_DRAWS = 199
"""Random concepts at the gate, at least."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What concepts are tried on.

    Attributes:
        data: pictures of the classes.
        head: what the network does behind the layer.
        classes: names of those that are looked at, by index.
        random: pictures that the concepts are set against; None takes those of the data, for each class without its own.
    """

    data: Features
    head: Head
    classes: dict[int, str]
    random: Features | None = None

    @property
    def of_class(self) -> Int[Tensor, " n"]:
        """The class of each picture of the data: its label where all are known, else what the network says."""
        return self.data.labels if self.labelled else self.data.predicted

    @property
    def labelled(self) -> bool:
        """Whether the class of every picture is known."""
        return bool((self.data.labels >= 0).all())

    def members(self, category: int) -> Int[Tensor, " n"]:
        """Return the places of the pictures of a class."""
        return (self.of_class == category).nonzero()[:, 0]

    def pull(self, category: int, seed: int) -> Pull:
        """Return the gradients of a class at its own pictures, summed over positions."""
        places = self.members(category)
        chosen = places[settled(self.data.pooled[places], OF_CLASS, Generator().manual_seed(seed))]
        gradients = self.head.gradients(self.data.raw[chosen], category)
        return Pull(category, gradients.flatten(2).sum(dim=2) if gradients.dim() > 2 else gradients)

    def pool(self, seed: int, without: int | None = None) -> Float[Tensor, "m c"]:
        """Return the pooled activations of random pictures, those of a class left out."""
        rows = self.data.pooled if self.random is None else self.random.pooled
        if self.random is None and without is not None:
            rows = rows[self.of_class != without]
        return rows[settled(rows, POOL, Generator().manual_seed(seed))]


def tried(given: Examples, ground: Ground, trial: Trial, *, erase: bool = True) -> Sensitivity:
    """Return what is found about each concept.

    Args:
        given: the concepts.
        ground: what they are tried on.
        trial: how; the number of draws is set by the number of tests.
        erase: also take each concept out.

    Raises:
        DataError: fewer than two pictures to set concepts against, or of a class.
    """
    tests = len(given.concepts) * len(ground.classes)
    most = LOGISTIC_DRAWS if trial.way == "logistic" else None
    trial = dataclasses.replace(trial, draws=draws_for(tests) if most is None else min(most, draws_for(tests)))
    rows = {
        name: features.pooled[settled(features.pooled, POOL, Generator().manual_seed(trial.seed))]
        for name, features in given.concepts.items()
    }
    pools = _pools(ground, trial.seed)
    pulls = {category: ground.pull(category, trial.seed) for category in ground.classes}
    found = {name: _influences(own, pools, pulls, trial) for name, own in rows.items()}
    vectors, gates = _vectors(rows, ground, trial, given)
    eraser = _eraser(ground, trial.seed) if erase else None
    concepts = _concepts(given, found, gates, vectors, eraser)
    return Sensitivity(
        tuple(sorted(concepts, key=_strength)),
        ground.classes,
        vectors,
        ground.data.layer,
        len(ground.data),
        _others(ground),
        tests,
        trial.draws,
        "as labelled" if ground.labelled else "as the network says untouched",
        given.left_out,
        given.broken | ground.data.data.broken | ({} if ground.random is None else ground.random.data.broken),
        (*given.notes, *_silent(pulls, ground.data.layer), *_notes(ground, concepts, tests)),
        dataclasses.asdict(trial),
    )


def _pools(ground: Ground, seed: int) -> list[tuple[Float[Tensor, "m c"], tuple[int, ...]]]:
    """Return the random pictures, and the classes for which they are used."""
    if ground.random is not None:
        pools = [(ground.pool(seed), tuple(ground.classes))]
    else:
        pools = [(ground.pool(seed, category), (category,)) for category in ground.classes]
    for rows, categories in pools:
        if len(rows) < 2:
            names = ", ".join(ground.classes[category] for category in categories)
            raise DataError(
                f"there are {len(rows)} random pictures to set concepts against for {names}; give at least 2, better 50, with random="
            )
    return pools


def _influences(
    own: Float[Tensor, "n c"],
    pools: Sequence[tuple[Float[Tensor, "m c"], tuple[int, ...]]],
    pulls: dict[int, Pull],
    trial: Trial,
) -> list[Influence]:
    return [
        one
        for others, categories in pools
        for one in influences(own, others, [pulls[category] for category in categories], trial)
    ]


def _vectors(
    rows: dict[str, Float[Tensor, "n c"]], ground: Ground, trial: Trial, given: Examples
) -> tuple[ConceptVectors, dict[str, Any]]:
    """Return all concepts as directions, with what their gates say."""
    others = ground.pool(trial.seed)
    draws = min(LEAST, max(GATE_DRAWS, math.ceil(2 * len(rows) / LEVEL) - 1))
    made = {
        name: gate(own, others, trial.way, draws, Generator().manual_seed(trial.seed)) for name, own in rows.items()
    }
    corrected = holm([one.chance for one in made.values()])
    gates = {name: (one, chance) for (name, one), chance in zip(made.items(), corrected, strict=True)}
    vectors = ConceptVectors.between(list(rows.values()), others, trial.way, list(rows))
    settings = {
        "way": trial.way,
        "seed": trial.seed,
        "accuracy": [one.accuracy for one in made.values()],
        "verified": [chance <= LEVEL and one.accuracy > 0.5 for one, chance in gates.values()],
        "pictures": {name: features.fingerprint.data for name, features in given.concepts.items()},
    }
    stamped = dataclasses.replace(
        vectors, layer=ground.data.layer, fingerprint=ground.data.fingerprint, settings=settings
    )
    return stamped, gates


def _eraser(ground: Ground, seed: int) -> Eraser:
    places = settled(
        torch.cat([ground.data.outputs, ground.data.pooled], dim=1), PICTURES, Generator().manual_seed(seed)
    )
    return Eraser(ground.data.part(places), ground.head, ground.of_class[places], seed)


def _concepts(
    given: Examples,
    found: dict[str, list[Influence]],
    gates: dict[str, Any],
    vectors: ConceptVectors,
    eraser: Eraser | None,
) -> list[TriedConcept]:
    """Return the concepts with chances corrected for all of them and all classes."""
    corrected = iter(holm([one.chance for listed in found.values() for one in listed]))
    made = []
    for place, (name, listed) in enumerate(found.items()):
        one, chance = gates[name]
        atom = vectors.atoms[place]
        made.append(
            TriedConcept(
                name,
                len(given.concepts[name]),
                one,
                chance,
                tuple(dataclasses.replace(each, corrected=next(corrected)) for each in listed),
                eraser.erasure(atom, [one.category for one in listed])
                if eraser is not None and bool(atom.any())
                else None,
            )
        )
    return made


def _strength(concept: TriedConcept) -> tuple[bool, bool, float]:
    """Return what concepts are ordered by: verified ones first, then those with an effect, then the size of the largest."""
    sure = [one for one in concept.influences if one.significant]
    largest = max((abs(one.effect.value) for one in sure or concept.influences), default=0.0)
    return not concept.verified, not sure, -largest


def _others(ground: Ground) -> str:
    if ground.random is not None:
        return f"{min(POOL, len(ground.random))} random pictures"
    return f"pictures of the data set, for each class without its own (at most {POOL})"


def _silent(pulls: dict[int, Pull], layer: str) -> list[str]:
    if any(bool(pull.gradients.any()) for pull in pulls.values()):
        return []
    return [
        f"no class depends on what {layer!r} gives at its places, such as behind the last attention of a network with a class token: choose an earlier layer"
    ]


def _notes(ground: Ground, concepts: Sequence[TriedConcept], tests: int) -> list[str]:
    notes = []
    if ground.random is None:
        notes.append(
            "no random pictures were given: each class is tried against the data set without its own pictures; better are pictures that differ from the concepts' in the concept alone"
        )
    if not ground.labelled:
        notes.append("not all labels are known: the class of a picture is what the network says")
    small: dict[str, list[str]] = {}
    for concept in concepts:
        if any(one.least * tests > LEVEL for one in concept.influences):
            small.setdefault(_too_small(concept, tests), []).append(concept.name)
    return notes + [f"{', '.join(names)}: {why}" for why, names in small.items()]


def _too_small(concept: TriedConcept, tests: int) -> str:
    least = max(one.least for one in concept.influences)
    others = min(one.others for one in concept.influences)
    return (
        f"with {concept.pictures} pictures of it, {others} others and the random concepts drawn, no chance can be below {least:.2g}, "
        f"which is {min(1.0, least * tests):.2g} corrected for {tests} tests: too few to reach {LEVEL:.0%}; give more pictures, or ask for fewer classes"
    )
