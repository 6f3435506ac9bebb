"""Growing a sum of small trees: the one split of all trees, or of a new one, that helps most, again and again."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.surrogates.small_tree import LEAF, SmallTree
from seewhy.surrogates.softmax import fitted, start_bias

BINS = 24
"""Thresholds that are tried of each number, at its quantiles."""
DEEPEST = 3
"""Conditions of a rule at most: more are not read."""
LEAST = 5
"""Pictures of a leaf at least."""
MOST_CLASSES = 16
"""Classes that a split is chosen by; of more, those that are most wrong at its leaf."""
RIDGE = 1.0
"""Added to how the log-loss bends, in pictures: a leaf of which the model is sure by chance promises less."""
QUICK = 15
"""Steps of the fit after each split; one that is handed out is fitted to the end."""
_NO_GAIN = 1e-9


@dataclass(frozen=True, eq=False)
class Binned:
    """Numbers as bins, ready for sums over each bin at once.

    Attributes:
        thresholds: of each number, rising (m, BINS); a bin b holds what is above threshold b - 1 and at most threshold b.
        codes: the bin of each number (n, m).
        ones: codes as ones in (n, m (BINS + 1)).
    """

    thresholds: Float[np.ndarray, "m b"]
    codes: Int[np.ndarray, "n m"]
    ones: csr_matrix

    @classmethod
    def of(cls, x: Float[Tensor, "n m"]) -> "Binned":
        """Put thresholds halfway between neighbours at the quantiles."""
        values = x.float().numpy()
        count, numbers = values.shape
        thresholds = np.empty((numbers, BINS), dtype=np.float32)
        codes = np.empty((count, numbers), dtype=np.int64)
        at = np.unique(np.linspace(0, count - 1, BINS + 2).astype(int)[1:-1])
        for column in range(numbers):
            row = np.sort(values[:, column])
            low = row[np.resize(at, BINS)] if len(at) < BINS else row[at]
            high = row[np.minimum(np.searchsorted(row, low, side="right"), count - 1)]
            middle = (low + high) / 2
            thresholds[column] = np.sort(np.where(middle < high, middle, low))
            codes[:, column] = np.searchsorted(thresholds[column], values[:, column], side="left")
        places = (codes + np.arange(numbers) * (BINS + 1)).ravel()
        starts = np.arange(count + 1) * numbers
        ones = csr_matrix((np.ones(places.size), places, starts), shape=(count, numbers * (BINS + 1)))
        return cls(thresholds, codes, ones)


@dataclass(eq=False)
class _Leaf:
    """Where a split may go: a leaf of a tree, or the root of a new one.

    Attributes:
        tree: number of its tree; that of the next one for a new root.
        node: its number there.
        depth: conditions before it.
        rows: pictures that end there.
        gain: what the best split gave when it was last looked for.
        number, bin: of that split.
        seen: after how many splits that was.
    """

    tree: int
    node: int
    depth: int
    rows: Int[np.ndarray, " r"]
    gain: float = np.inf
    number: int = 0
    bin: int = 0
    seen: int = -1


@dataclass(eq=False)
class _Growing:
    """A tree that still grows: lists with an entry for each node, and where each picture ends."""

    ends: Int[np.ndarray, " n"]
    number: list[int] = field(default_factory=lambda: [LEAF])
    threshold: list[float] = field(default_factory=lambda: [0.0])
    left: list[int] = field(default_factory=lambda: [0])
    right: list[int] = field(default_factory=lambda: [0])

    def split(self, leaf: _Leaf, threshold: float, low: Int[np.ndarray, " r"], high: Int[np.ndarray, " s"]) -> None:
        """Give a leaf two children."""
        first = len(self.number)
        self.number[leaf.node], self.threshold[leaf.node] = leaf.number, threshold
        self.left[leaf.node], self.right[leaf.node] = first, first + 1
        self.number += [LEAF, LEAF]
        self.threshold += [0.0, 0.0]
        self.left += [0, 0]
        self.right += [0, 0]
        self.ends[low], self.ends[high] = first, first + 1

    @property
    def leaves(self) -> list[int]:
        """Numbers of the nodes that ask nothing."""
        return [node for node, number in enumerate(self.number) if number == LEAF]

    def with_values(self, values: Float[Tensor, "t j"]) -> SmallTree:
        """Return the tree as it stands."""
        number, left, right = (torch.tensor(part) for part in (self.number, self.left, self.right))
        return SmallTree(number, torch.tensor(self.threshold, dtype=torch.float32), left, right, values.float())


class TreeSum:
    """A sum of trees that grows split by split; what all leaves add is fitted together after each.

    Args:
        x: what is read.
        targets: probabilities of the classes.
        allowed: which numbers may be asked about (m,).
    """

    def __init__(self, x: Float[Tensor, "n m"], targets: Float[Tensor, "n j"], allowed: Tensor) -> None:
        self.binned, self.targets = Binned.of(x), targets.double()
        self.allowed: np.ndarray = allowed.numpy()
        self.trees: list[_Growing] = []
        self.open: list[_Leaf] = []
        self.values: list[Tensor] = []  # of each tree (t, j)
        self.bias = start_bias(targets)
        self.splits = 0

    def grow(self, most: int) -> Iterator[int]:
        """Yield the number of splits after each, up to so many, or until none helps."""
        every = np.arange(len(self.targets))
        while self.splits < most:
            slopes = self._slopes()
            root = _Leaf(len(self.trees), 0, 0, every)
            best = self._best([*self.open, root], slopes)
            if best is None:
                return
            self._split(best)
            self.fit(QUICK)
            yield self.splits

    def fit(self, steps: int) -> None:
        """Fit what all leaves add, and the bias, beginning with what they add now."""
        leaves = [(number, node) for number, tree in enumerate(self.trees) for node in tree.leaves]
        start = torch.stack([self.values[number][node] for number, node in leaves])
        columns = torch.from_numpy(np.stack([self.trees[number].ends == node for number, node in leaves], axis=1))
        found, self.bias = fitted(columns, self.targets, start, self.bias, steps=steps)
        for (number, node), row in zip(leaves, found, strict=True):
            self.values[number][node] = row

    def centred(self) -> tuple[list[SmallTree], Float[Tensor, " j"]]:
        """Return the trees, each of mean 0 for each class over the pictures, and a bias that takes the means."""
        bias, made = self.bias.clone(), []
        for tree, values in zip(self.trees, self.values, strict=True):
            mean = values[torch.from_numpy(tree.ends)].mean(dim=0)
            shifted = values.clone()
            shifted[tree.leaves] -= mean
            bias += mean
            made.append(tree.with_values(shifted))
        return made, (bias - bias.mean()).float()

    def _slopes(self) -> Float[np.ndarray, "n 2 j"]:
        """Return the residual of the probabilities p, and p (1 - p): how the log-loss falls with each score, and how it bends."""
        scores = self.bias.expand(len(self.targets), -1).clone()
        for tree, values in zip(self.trees, self.values, strict=True):
            scores += values[torch.from_numpy(tree.ends)]
        said = scores.softmax(dim=1)
        found: np.ndarray = torch.stack([self.targets - said, said * (1 - said)], dim=1).numpy()
        return found

    def _best(self, leaves: list[_Leaf], slopes: Float[np.ndarray, "n 2 j"]) -> _Leaf | None:
        """Return the leaf with the largest gain; one is looked at anew only when what it gave before is the largest."""
        while leaves:
            first = max(leaves, key=lambda leaf: leaf.gain)
            if first.gain <= _NO_GAIN * len(slopes):
                return None
            if first.seen == self.splits:
                return first
            self._look(first, slopes)
        return None

    def _look(self, leaf: _Leaf, slopes: Float[np.ndarray, "n 2 j"]) -> None:
        """Find the split of a leaf after which the log-loss falls most, to second order."""
        mine = slopes[leaf.rows]
        if mine.shape[2] > MOST_CLASSES:
            mine = mine[..., np.argsort(-np.square(mine[:, 0]).sum(axis=0), kind="stable")[:MOST_CLASSES]]
        columns = np.column_stack([mine.reshape(len(mine), -1), np.ones(len(mine))])
        sums = (self.binned.ones[leaf.rows].T @ columns).reshape(-1, BINS + 1, columns.shape[1])
        below = sums.cumsum(axis=1)[:, :BINS]
        total = columns.sum(axis=0)
        above = total - below
        fine = (below[..., -1] >= LEAST - 0.5) & (above[..., -1] >= LEAST - 0.5) & self.allowed[:, None]
        gains = np.where(fine, _fall(below) + _fall(above) - _fall(total), -np.inf)
        leaf.number, leaf.bin = (int(place) for place in divmod(int(gains.argmax()), BINS))
        leaf.gain, leaf.seen = float(gains[leaf.number, leaf.bin]), self.splits

    def _split(self, leaf: _Leaf) -> None:
        if leaf.tree == len(self.trees):
            self.trees.append(_Growing(np.zeros(len(self.targets), dtype=np.int64)))
            self.values.append(torch.zeros(1, self.targets.shape[1], dtype=torch.float64))
        else:
            self.open.remove(leaf)
        is_low = self.binned.codes[leaf.rows, leaf.number] <= leaf.bin
        low, high = leaf.rows[is_low], leaf.rows[~is_low]
        tree, values = self.trees[leaf.tree], self.values[leaf.tree]
        tree.split(leaf, float(self.binned.thresholds[leaf.number, leaf.bin]), low, high)
        self.values[leaf.tree] = torch.cat([values, values[leaf.node].expand(2, -1)])
        self.values[leaf.tree][leaf.node] = 0
        self.splits += 1
        if leaf.depth + 1 < DEEPEST:
            children = ((tree.left[leaf.node], low), (tree.right[leaf.node], high))
            self.open += [_Leaf(leaf.tree, node, leaf.depth + 1, rows) for node, rows in children]


def _fall(sums: Float[np.ndarray, "... q"]) -> Float[np.ndarray, "..."]:
    """Return twice how far the log-loss falls, to second order, where all that the sums are over get one value for each class."""
    slope, bend = np.split(sums[..., :-1], 2, axis=-1)
    found: np.ndarray = (np.square(slope) / (bend + RIDGE)).sum(axis=-1)
    return found
