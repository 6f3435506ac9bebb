"""Sums of small trees: each leaf is a rule of few conditions, and the rules that hold are added up."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.surrogates.growing import TreeSum
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.small_tree import Condition, SmallTree
from seewhy.surrogates.softmax import STEPS
from seewhy.surrogates.surrogate import Surrogate

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40)
"""Splits that models are handed out at."""
ROWS = 2500
"""Pictures that are learned from; of more, so many are drawn."""
MOST_TREES = 1000
SHOWN = 3
"""Classes that the text names for a rule: those that it moves most."""


@dataclass(frozen=True)
class Rule:
    """A rule that holds for a picture.

    Attributes:
        tree: its number.
        conditions: that hold.
        adds: to each class (j,).
    """

    tree: int
    conditions: tuple[Condition, ...]
    adds: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Rules(Surrogate):
    """score_j = bias_j + sum over trees of what the leaf adds to class j; probabilities by softmax.

    At each step one leaf of any tree, or a new tree, gets the split after which the log-loss falls most, to second order; then what all leaves of all
    trees add is fitted anew, together. A rule has at most three conditions. Over the pictures that were learned from, what a tree adds has mean 0 for
    each class.

    Attributes:
        trees: of the sum.
        bias: (j,).

    Source: Tan, Singh, Nasseri, Agarwal and Yu 2022 (FIGS), arXiv 2201.11931. Differs in: several classes at once, by log-loss, whose gain is that of
        Chen and Guestrin 2016, arXiv 1603.02754, equation 7, in the place of squared error; all leaves are fitted together after each split; depth is
        bounded; thresholds are quantiles; of many classes, a split is chosen by those that are most wrong; a leaf is looked at anew only when what it
        promised before is the most.
    Limits: greedy; two numbers that matter only together may not be found. What is read moves together, so other rules may do as well.
    """

    trees: tuple[SmallTree, ...]
    bias: Float[Tensor, " j"]

    key: ClassVar = "rules"
    title: ClassVar = "sum of small trees"
    unit: ClassVar = "splits"

    @classmethod
    def path(cls, lesson: Lesson, seed: int = 0) -> Iterator["Rules"]:
        """Yield sums of 1, 2, 3 … splits."""
        rows = drawn(len(lesson.x), seed)
        growing = TreeSum(lesson.x[rows], lesson.targets[rows], dataclasses.replace(lesson, x=lesson.x[rows]).varying)
        for splits in growing.grow(max(SIZES)):
            if splits in SIZES:
                growing.fit(STEPS)
                trees, bias = growing.centred()
                yield cls(tuple(trees), bias)

    @property
    def size(self) -> float:
        """Number of splits, of all trees."""
        return float(sum(tree.splits for tree in self.trees))

    @property
    def sizes(self) -> Mapping[str, float]:
        """Splits, trees, rules, and how many different numbers are read."""
        read = {int(number) for tree in self.trees for number in tree.number if number >= 0}
        rules = sum(tree.splits + 1 for tree in self.trees)
        return {self.unit: self.size, "trees": len(self.trees), "rules": rules, "numbers read": len(read)}

    def scores(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j"]:
        """Return the sums."""
        return self.terms(x).sum(dim=2) + self.bias

    def terms(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j t"]:
        """Return what each tree adds to each class; with the bias they add up to the scores."""
        added = [tree.values[tree.leaf(x)] for tree in self.trees]
        return torch.stack(added, dim=2) if added else x.new_zeros(len(x), len(self.bias), 0)

    def account(self, row: Float[Tensor, " m"]) -> tuple[Rule, ...]:
        """Return the rule of each tree that holds for one picture."""
        found = []
        for number, tree in enumerate(self.trees):
            node = int(tree.leaf(row[None]))
            found.append(Rule(number, tree.paths()[node], tuple(tree.values[node].tolist())))
        return tuple(found)

    def plain(self) -> dict[str, Any]:
        """Return the trees and the bias."""
        return {"trees": [tree.plain() for tree in self.trees], "bias": self.bias.tolist()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Rules":
        """Read back what `plain` gave."""
        bias = torch.tensor(plain["bias"], dtype=torch.float32)
        if len(plain["trees"]) > MOST_TREES:
            raise ValueError(f"a sum of {len(plain['trees'])} trees")
        trees = tuple(SmallTree.from_plain(tree) for tree in plain["trees"])
        if bias.dim() != 1 or any(tree.values.shape[1] != len(bias) for tree in trees):
            raise ValueError("trees and bias do not fit each other")
        return cls(trees, bias)

    def text(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Return the rules of each tree: what must hold, and what is then added to the classes that move most."""
        lines = ["to begin with: " + moved(self.bias.tolist(), classes)]
        for number, tree in enumerate(self.trees):
            lines.append(f"tree {number + 1}")
            for node, way in tree.paths().items():
                lines.append(f"  if {said(way, names)}: {moved(tree.values[node].tolist(), classes)}")
        return "\n".join(lines)


def said(way: Sequence[Condition], names: Sequence[str]) -> str:
    """Return conditions in words; those on one number are drawn together."""
    spans: dict[int, tuple[float, float]] = {}
    for one in way:
        low, high = spans.get(one.number, (-torch.inf, torch.inf))
        spans[one.number] = (max(low, one.threshold), high) if one.above else (low, min(high, one.threshold))
    return " and ".join(_span(names[number], *span) for number, span in spans.items())


def moved(adds: Sequence[float], classes: Sequence[str]) -> str:
    """Return what is added to the classes that move most, the largest first."""
    most = sorted(range(len(adds)), key=lambda index: -abs(adds[index]))[:SHOWN]
    return ", ".join(f"{classes[index]} {adds[index]:+.2f}" for index in sorted(most, key=lambda index: -adds[index]))


def drawn(count: int, seed: int, most: int = ROWS) -> Tensor:
    """Return the numbers of all rows, or of so many of them drawn at random, in their order."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].sort().values


def _span(name: str, low: float, high: float) -> str:
    if low == -torch.inf:
        return f"{name} ≤ {high:.3g}"
    return f"{name} > {low:.3g}" if high == torch.inf else f"{low:.3g} < {name} ≤ {high:.3g}"
