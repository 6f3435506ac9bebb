"""When a concept counts as present: one threshold for each, and a gate for those that say nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CANDIDATES = 31
"""Thresholds that are tried for each concept, at equal shares of the pictures."""
ROWS = 4000
"""Pictures that thresholds are found on; of more, so many are drawn."""
SHUFFLES = 3
"""Of the classes over the pictures: what the best of all concepts gains then is gained by chance."""


@dataclass(frozen=True, eq=False)
class Presence:
    """Thresholds above which concepts count as present, found on the pictures that a student is fitted on.

    Attributes:
        threshold: of each number that is read (m,), half-way between the two values that it divides.
        gain: by how much that division lowers the Gini impurity of the classes, as a share of it (m,).
        chance: the largest gain of any number over several shuffles of the classes.
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
        gains = torch.stack(
            [_gains(x > ordered[place], [targets, *shuffled]) for place in places]
        )  # (candidates, 1 + shuffles, m)
        gain, best = gains[:, 0].max(dim=0)
        chance = float(gains[:, 1:].max())
        threshold = _middle(x, ordered[torch.tensor(places)].gather(0, best[None])[0])
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
    squares = above.square().sum(dim=2) / many.clamp_min(1) + (whole - above).square().sum(dim=2) / (
        n - many
    ).clamp_min(1)
    even = (whole / n).square().sum()
    gains: Tensor = (squares / n - even) / (1 - even).clamp_min(1e-12)
    return gains


def _middle(x: Float[Tensor, "n m"], below: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """Return the middle between the largest value that is at most this, which is itself a value, and the next larger one."""
    above = torch.where(x > below, x, torch.inf).amin(dim=0)
    middle = below + (above - below) / 2
    return torch.where(above.isinf() | (middle >= above), below, middle)
