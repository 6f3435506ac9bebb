"""A small tree as plain arrays: thresholds on named numbers, a score for each class at each leaf."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

LEAF = -1
"""Stands in the place of what a node asks where it asks nothing."""
MOST_NODES = 10_000


@dataclass(frozen=True)
class Condition:
    """What a node asks, and which way it went.

    Attributes:
        number: which of the numbers that are read.
        threshold: it is compared with.
        above: whether the number is larger.
    """

    number: int
    threshold: float
    above: bool


@dataclass(frozen=True, eq=False)
class SmallTree:
    """A binary tree; node 0 is its root, and a child stands behind its parent.

    Attributes:
        number: which of the numbers that are read a node asks about; -1 at a leaf (t,).
        threshold: a picture goes left where the number is at most this (t,).
        left, right: the children; 0 at a leaf (t,).
        values: what a leaf adds to each class; 0 at other nodes (t, j).
    """

    number: Int[Tensor, " t"]
    threshold: Float[Tensor, " t"]
    left: Int[Tensor, " t"]
    right: Int[Tensor, " t"]
    values: Float[Tensor, "t j"]

    @property
    def splits(self) -> int:
        """How many nodes ask something."""
        return int((self.number != LEAF).sum())

    def leaf(self, x: Float[Tensor, "n m"]) -> Int[Tensor, " n"]:
        """Return the node at which each row ends."""
        place = torch.zeros(len(x), dtype=torch.long)
        rows = torch.arange(len(x))
        while bool((inner := self.number[place] != LEAF).any()):
            low = x[rows, self.number[place].clamp_min(0)] <= self.threshold[place]
            place = torch.where(inner, torch.where(low, self.left[place], self.right[place]), place)
        return place

    def paths(self) -> dict[int, tuple[Condition, ...]]:
        """Return what leads to each leaf, from the left to the right."""
        found: dict[int, tuple[Condition, ...]] = {}
        waiting: list[tuple[int, tuple[Condition, ...]]] = [(0, ())]
        while waiting:
            node, way = waiting.pop()
            asked, threshold = int(self.number[node]), float(self.threshold[node])
            if asked == LEAF:
                found[node] = way
                continue
            waiting.append((int(self.right[node]), (*way, Condition(asked, threshold, above=True))))
            waiting.append((int(self.left[node]), (*way, Condition(asked, threshold, above=False))))
        return found

    def plain(self) -> dict[str, Any]:
        """Return all arrays as lists."""
        return {name: getattr(self, name).tolist() for name in ("number", "threshold", "left", "right", "values")}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "SmallTree":
        """Read back what `plain` gave; raise `ValueError`, `KeyError` or `TypeError` where it is no tree."""
        number, left, right = (torch.tensor(plain[name], dtype=torch.long) for name in ("number", "left", "right"))
        threshold, values = (torch.tensor(plain[name], dtype=torch.float32) for name in ("threshold", "values"))
        count = len(number)
        if not 0 < count <= MOST_NODES or values.dim() != 2:
            raise ValueError(f"a tree of {count} nodes")
        if any(part.shape != (count,) for part in (number, threshold, left, right)) or len(values) != count:
            raise ValueError("the arrays of a tree do not fit each other")
        inner, nodes = number != LEAF, torch.arange(count)
        down = (left > nodes) & (right > nodes) & (left < count) & (right < count)
        if not bool((down | ~inner).all()) or bool((number < LEAF).any()):
            raise ValueError("a node of a tree does not lead down to two others")
        if not bool(threshold.isfinite().all() and values.isfinite().all()):
            raise ValueError("a tree holds a number that is not finite")
        return cls(number, threshold, left, right, values)
