"""What two units do together beyond what each does alone."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.contributions.effects import Asked
from seewhy.contributions.estimate import estimates
from seewhy.contributions.study import Questions, Study
from seewhy.contributions.table import Interaction
from seewhy.core.budget import Allowance

MOST = 20
"""Units that are paired with each other: 190 pairs."""


def interactions(
    study: Study, places: Sequence[int], chosen: Sequence[int], seed: int, seconds: float | None = None
) -> tuple[Interaction, ...]:
    """Return delta_jk - delta_j - delta_k for each pair of some units, the largest magnitude first.

    delta is the fall of the score when a unit, or both, are taken away. Positive: each makes up for the loss of the other, and only the loss of
    both is felt. Negative: they need each other, so that the second has little left to take away.

    Args:
        study: the units and the pictures.
        places: numbers of the pictures in the data.
        chosen: numbers of the units.
        seed: of the resampling.
        seconds: time that it may take; what was seen of the pictures until then counts. None is no limit.
    """
    if len(chosen) < 2:
        return ()
    count, names = len(study.units.names), study.units.names
    first, second = torch.tensor(list(combinations(range(len(chosen)), 2))).T
    alone = torch.eye(count, dtype=torch.bool)[list(chosen)]
    gone = torch.cat([alone, alone[first] | alone[second]])
    row_of = {place: row for row, place in enumerate(places)}
    values = torch.full((len(places), len(first)), torch.nan, dtype=torch.float64)
    batches: Iterable[Questions] = study.asked("pairs", places)
    for questions in batches if seconds is None else Allowance(seconds=seconds).spend(batches):
        falls = torch.stack([_falls(asked, gone) for asked in questions.asked]).mean(dim=0)  # (b, singles + pairs)
        single, both = falls[:, : len(chosen)], falls[:, len(chosen) :]
        rows = [row_of[place] for place in questions.batch.places]
        values[rows] = both - single[:, first] - single[:, second]
    found = zip(first.tolist(), second.tolist(), estimates(values, seed), strict=True)
    made = [Interaction(names[chosen[j]], names[chosen[k]], value) for j, k, value in found]
    return tuple(sorted(made, key=lambda one: -abs(one.score.value)))


def _falls(asked: Asked, gone: Bool[Tensor, "q m"]) -> Float[Tensor, "b q"]:
    """Return how far the score falls with each choice of units gone."""
    whole = asked.whole().score
    return torch.stack([whole - outcome.score for outcome in asked.outcomes(gone)], dim=1)
