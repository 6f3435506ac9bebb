"""When a concept counts as present: one threshold for each, and a gate for those that say nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CANDIDATES = 31
"""Thresholds at equal shares of the pictures, at which the gate tries each concept."""
ROWS = 4000
"""Pictures that thresholds are found on; of more, so many are drawn."""
SHUFFLES = 3
"""Of the classes over the pictures: what the best of all concepts gains then is gained by chance."""


@dataclass(frozen=True, eq=False)
class Presence:
    """Thresholds above which concepts count as present, found on the pictures that a student is fitted on.

    Attributes:
        threshold: of each number that is read (m,), half-way between the two values that it divides.
        gain: by how much the best division at equal shares of the pictures lowers the Gini impurity of the classes, as a share of it (m,).
        chance: the largest such gain of any number over several shuffles of the classes.
        kept: those that gain more than this (k,), as places among the m.
    """

    threshold: Float[Tensor, " m"]
    gain: Float[Tensor, " m"]
    chance: float
    kept: Int[Tensor, " k"]

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
        threshold = torch.stack([_best(column, targets) for column in x.T])
        kept = (gain > chance).nonzero()[:, 0]
        return cls(threshold, gain, chance, kept)

    def of_pictures(self, x: Float[Tensor, "n m"]) -> Bool[Tensor, "n k"]:
        """Return whether each concept that is kept is present in each picture."""
        return x[:, self.kept] > self.threshold[self.kept]


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


def _best(column: Float[Tensor, " n"], targets: Float[Tensor, "n j"]) -> Float[Tensor, ""]:
    """Return the middle between the two neighbouring values whose division lowers the Gini impurity most; the value itself where all are equal."""
    values, order = column.sort()
    below = targets[order].double().cumsum(dim=0)
    many = torch.arange(1, len(values) + 1)
    purity = below.square().sum(dim=1) / many + (below[-1] - below).square().sum(dim=1) / (
        len(values) - many
    ).clamp_min(1)
    purity[:-1][values[1:] == values[:-1]] = -1
    purity[-1] = -1
    place = int(purity.argmax())
    if purity[place] < 0:
        return values[-1]
    low, high = values[place], values[place + 1]
    middle = low + (high - low) / 2
    return middle if middle < high else low
