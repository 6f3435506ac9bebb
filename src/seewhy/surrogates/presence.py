"""When a concept counts as present, and as strong: two thresholds for each, and a gate for those that say nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MOST = 256
"""Concepts that are asked about at most, those that divide the classes best."""
CANDIDATES = 31
"""Thresholds at equal shares of the pictures, at which the gate tries each concept."""
ROWS = 4000
"""Pictures that thresholds are found on; of more, so many are drawn."""
SHUFFLES = 3
"""Of the classes over the pictures: what the best of all concepts gains then is gained by chance."""


@dataclass(frozen=True, eq=False)
class Presence:
    """Thresholds above which concepts count as present and as strong, found on the pictures that a student is fitted on.

    The two divide the pictures as a tree of three leaves over this concept alone would: the first as well as can be, the second one of its sides.

    Attributes:
        thresholds: of each number that is read, the smaller first (m, 2), each half-way between the two values that it divides; infinite where there are not
            so many values, and where it is not asked about.
        gain: by how much the best division at equal shares of the pictures lowers the Gini impurity of the classes, as a share of it (m,).
        chance: the largest such gain of any number over several shuffles of the classes.
        number: which number each question is about (q,): those that gain more than by chance, each of their thresholds.
        threshold: of each question (q,).
    """

    thresholds: Float[Tensor, "m 2"]
    gain: Float[Tensor, " m"]
    chance: float
    number: Int[Tensor, " q"]
    threshold: Float[Tensor, " q"]

    @classmethod
    def of(cls, x: Float[Tensor, "n m"], targets: Float[Tensor, "n j"], seed: int = 0) -> "Presence":
        """Return the thresholds that divide the classes best.

        Args:
            x: what is read of each picture.
            targets: probabilities of the classes.
            seed: of the shuffles, and of the draw of pictures.
        """
        generator = torch.Generator().manual_seed(seed)
        if len(x) > ROWS:
            drawn = torch.randperm(len(x), generator=generator)[:ROWS]
            x, targets = x[drawn], targets[drawn]
        shuffled = [targets[torch.randperm(len(x), generator=generator)] for _ in range(SHUFFLES)]
        ordered = x.sort(dim=0).values
        places = [number * (len(x) - 1) // (CANDIDATES + 1) for number in range(1, CANDIDATES + 1)]
        gains = torch.stack([_gains(x > ordered[place], [targets, *shuffled]) for place in places])
        gain = gains[:, 0].amax(dim=0)
        chance = float(gains[:, 1:].max())
        kept = gain.argsort(descending=True, stable=True)[:MOST]
        kept = kept[gain[kept] > chance].sort().values
        thresholds = torch.full((x.shape[1], 2), torch.inf)
        for place in kept.tolist():
            thresholds[place] = _two(x[:, place], targets)
        number, which = thresholds.isfinite().nonzero(as_tuple=True)
        return cls(thresholds, gain, chance, number, thresholds[number, which])

    def of_pictures(self, x: Float[Tensor, "n m"]) -> Bool[Tensor, "n q"]:
        """Return the answer to each question about each picture."""
        return x[:, self.number] > self.threshold


def _gains(side: Bool[Tensor, "n m"], targets: Sequence[Float[Tensor, "n j"]]) -> Float[Tensor, "t m"]:
    """Return, for each teaching, the share of the Gini impurity that each division takes away; 0 where all pictures lie on one side."""
    n, whole = len(side), targets[0].sum(dim=0)
    above = side.to(targets[0].dtype).T @ torch.cat(list(targets), dim=1)  # all at once: the product is what takes long
    above = above.view(above.shape[0], len(targets), -1).transpose(0, 1)  # (t, m, j)
    many = side.sum(dim=0)
    present, absent = above.square().sum(dim=2), (whole - above).square().sum(dim=2)
    squares = present / many.clamp_min(1) + absent / (n - many).clamp_min(1)
    even = (whole / n).square().sum()
    gains: Tensor = (squares / n - even) / (1 - even).clamp_min(1e-12)
    return gains


def _two(column: Float[Tensor, " n"], targets: Float[Tensor, "n j"]) -> Float[Tensor, " 2"]:
    """Return the two thresholds of a number, the smaller first; infinite where there are not so many values."""
    values, order = column.sort()
    below = torch.cat([targets.new_zeros(1, targets.shape[1]), targets[order]]).double().cumsum(dim=0)
    first, _ = _best(values, below, 0, len(values))
    if first is None:
        return torch.full((2,), torch.inf)
    sides = [_best(values, below, 0, first), _best(values, below, first, len(values))]
    second, _ = max(sides, key=lambda side: side[1])
    found = sorted(place for place in (first, second) if place is not None)
    middles = [_middle(values[place - 1], values[place]) for place in found]
    return torch.stack([*middles, torch.tensor(torch.inf)][:2])


def _best(values: Float[Tensor, " n"], below: Float[Tensor, "n1 j"], start: int, end: int) -> tuple[int | None, float]:
    """Return before which place to divide a stretch of sorted values so that the Gini impurity falls most, and by how much; None where all are equal.

    Args:
        values: sorted.
        below: targets added up, those before each place.
        start, end: of the stretch.
    """
    places = torch.arange(start + 1, end)
    places = places[values[places] != values[places - 1]]
    if not len(places):
        return None, 0.0
    left, right = below[places] - below[start], below[end] - below[places]
    squares = left.square().sum(dim=1) / (places - start) + right.square().sum(dim=1) / (end - places)
    gains = squares - (below[end] - below[start]).square().sum() / (end - start)
    best = int(gains.argmax())
    return int(places[best]), float(gains[best])


def _middle(low: Float[Tensor, ""], high: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Return the middle between two values, which is below the higher even where no number lies between them."""
    middle = low + (high - low) / 2
    return middle if middle < high else low
