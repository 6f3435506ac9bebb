"""Which direction of one dictionary is which of another."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import normalize


class Matching(NamedTuple):
    """The best one-to-one assignment of directions to directions.

    Attributes:
        partner: number of the other's direction for each of ours; -1 where the other has fewer and none is left.
        likeness: |cosine| to it, from 0 to 1; 0 where there is none.
    """

    partner: Int[Tensor, " k"]
    likeness: Float[Tensor, " k"]


def matching(ours: Float[Tensor, "k c"], other: Float[Tensor, "j c"]) -> Matching:
    """Return the assignment of the greatest sum of |cosine|; a direction of length 0 is like none.

    Source: Kuhn 1955, The Hungarian method for the assignment problem; solved by SciPy.
    """
    likeness = (normalize(ours.double(), dim=1) @ normalize(other.double(), dim=1).T).abs().clamp_max(1.0)
    rows, columns = (torch.from_numpy(index) for index in linear_sum_assignment(likeness.numpy(), maximize=True))
    partner = torch.full((len(ours),), -1)
    found = torch.zeros(len(ours), dtype=torch.float64)
    partner[rows], found[rows] = columns, likeness[rows, columns]
    return Matching(partner, found)
