"""Whether the same concepts come out again: under other seeds, and from the two halves of the pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from seewhy.concepts.assignment import matching
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.fitting import ROWS
from seewhy.concepts.rows import POSITIONS, Placed, Source, drawn
from seewhy.data.features import Features
from seewhy.errors import DataError

REPEATS = 2
"""Other seeds, and ways of halving."""
DRAWS = 20
"""Draws of random directions and of activations."""


@dataclass(frozen=True)
class Stability:
    """How surely each concept comes out again: |cosine| from 0 to 1, 1 = the same direction.

    Attributes:
        seeds: of each concept, mean |cosine| to its match in dictionaries of other seeds, fitted on the same pictures.
        halves: of each concept, mean |cosine| between its matches in the two halves of the pictures, each with its own dictionary.
        random: what as many random directions reach when they are matched with the atoms: mean over concepts and draws. They are the atoms themselves, the
            channels of each shuffled, so that they have the atoms' signs and are as concentrated.
        activations: the same for as many activations, drawn at random: what is like every activation is found by any method.
    """

    seeds: tuple[float, ...]
    halves: tuple[float, ...]
    random: float
    activations: float

    @property
    def values(self) -> tuple[float, ...]:
        """One number for each concept: the lower of the two."""
        return tuple(map(min, self.seeds, self.halves))

    @property
    def mean(self) -> float:
        """Of the concepts' numbers."""
        return sum(self.values) / len(self.values)


def stability(
    dictionary: Dictionary,
    features: Features,
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    source: Source = POSITIONS,
) -> Stability:
    """Return how surely each concept comes out again; takes three fits for each repeat.

    Args:
        dictionary: of the concepts.
        features: of the pictures that it was fitted on.
        repeats: other seeds, and ways of halving the pictures.
        seed: of the halves and the random directions.
        source: of the activations, as the dictionary was fitted.

    Raises:
        DataError: fewer than two pictures.
        ModelError: features of another layer or network than the dictionary's.
    """
    dictionary.check(features)
    if len(features) < 2:
        raise DataError("stability is measured on two halves of the pictures, and there is 1 picture; give more")
    own = int(dictionary.settings.get("seed", 0))
    rows = source.rows(features, ROWS, own)
    others = [_again(dictionary, source.rows(features, ROWS, own + 1 + n), own + 1 + n) for n in range(repeats)]
    whole = source.placed(features, 2 * ROWS, own)
    halved = [_halves(dictionary, whole, len(features), own, seed + n) for n in range(repeats)]
    return Stability(
        _mean([matching(dictionary.atoms, other.atoms).likeness for other in others]),
        _mean(halved),
        _chance(dictionary, _random_directions(dictionary, seed)),
        _chance(dictionary, _activations(dictionary, rows, seed)),
    )


def _again(dictionary: Dictionary, rows: Float[Tensor, "m c"], seed: int) -> Dictionary:
    return type(dictionary).fit(rows, len(dictionary), seed)


def _halves(dictionary: Dictionary, whole: Placed, pictures: int, own: int, seed: int) -> Float[Tensor, " k"]:
    """Return the |cosine| between the two matches of each concept, one in each half of the pictures."""
    order = torch.randperm(pictures, generator=torch.Generator().manual_seed(seed))
    first = torch.isin(whole.pictures, order[: pictures // 2])
    matches = []
    for rows in (whole.rows[first], whole.rows[~first]):
        if len(rows) < len(dictionary):
            raise DataError(
                f"half of the pictures have {len(rows)} places, fewer than {len(dictionary)} concepts; give more pictures"
            )
        atoms = _again(dictionary, drawn(rows, ROWS, own), own).atoms
        matches.append(normalize(atoms[matching(dictionary.atoms, atoms).partner].double(), dim=1))
    return (matches[0] * matches[1]).sum(dim=1).abs().clamp_max(1.0)


def _random_directions(dictionary: Dictionary, seed: int) -> Sequence[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    atoms = dictionary.atoms
    return [atoms.gather(1, torch.rand(atoms.shape, generator=generator).argsort(dim=1)) for _ in range(DRAWS)]


def _activations(dictionary: Dictionary, rows: Float[Tensor, "m c"], seed: int) -> Sequence[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        rows[torch.randperm(len(rows), generator=generator)[: len(dictionary)]] - dictionary.offset
        for _ in range(DRAWS)
    ]


def _chance(dictionary: Dictionary, draws: Sequence[Tensor]) -> float:
    return sum(float(matching(dictionary.atoms, draw).likeness.mean()) for draw in draws) / len(draws)


def _mean(values: Sequence[Float[Tensor, " k"]]) -> tuple[float, ...]:
    return tuple(torch.stack(list(values)).mean(dim=0).tolist())
