"""A decision tree that asks whether concepts are present."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.surrogates.branching import NONE, Branching, checked_children
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.presence import Presence

SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60)
"""Leaves that are allowed; branches that change no answer are then cut."""
LEAST = 5
"""Pictures of a leaf."""
PRIOR = 0.5
"""Pictures of each class that a leaf is thought to have had before any came: its scores are never minus infinity."""


@dataclass(frozen=True, eq=False)
class Tree(Branching):
    """At each node a concept is present (above its threshold) or absent; a leaf answers with the class that most of its pictures have.

    A concept has at most two thresholds in the whole tree, so that "present" means the same at each node, and above the second "strong": those that divide the
    classes best when it is asked alone. Concepts that never divide them better than chance does are not asked (`Presence`). The tree grows best split first (Gini), and is read at growing sizes;
    two leaves of one question with the same answer become one.

    Attributes:
        feature: which number each node asks about (nodes,); -1 at leaves.
        threshold: above which it is present (nodes,); 0 at leaves.
        children: (nodes, 2): where a picture goes on if the concept is absent, present.
        counts: pictures fitted on that came to each node, by class (nodes, j).

    Source: Breiman et al. 1984 (CART); growth by scikit-learn.
    Limits: trees fall short of linear students of the same concepts, as each question throws away how strong a concept is; near a threshold the answer is a
        matter of chance; another draw of pictures may give another tree of the same worth.
    """

    feature: Int[Tensor, " nodes"]
    threshold: Float[Tensor, " nodes"]
    children: Int[Tensor, "nodes 2"]
    counts: Float[Tensor, "nodes j"]

    key: ClassVar = "tree"
    title: ClassVar = "decision tree"
    unit: ClassVar = "leaves"

    @classmethod
    def path(cls, lesson: Lesson, seed: int = 0) -> Iterator["Tree"]:
        """Yield trees of growing size, each size once."""
        presence = Presence.of(lesson.x, lesson.targets, seed)
        known = torch.tensor(lesson.classes)
        classes = torch.searchsorted(known, lesson.taught)
        grown = _grown(presence.of_pictures(lesson.x), classes, len(known), seed)
        size = 0.0
        for leaves in SIZES:
            made = grown.cut(leaves).named(presence)
            if made.size > size:
                size = made.size
                yield made

    @property
    def size(self) -> float:
        """Leaves."""
        return float(len(self.leaves))

    @property
    def sizes(self) -> Mapping[str, float]:
        """Leaves, depth, mean path length over the pictures fitted on, and how many different numbers are read at all."""
        return {
            "leaves": self.size,
            "depth": float(self.depths.max()),
            "mean path length": self.mean_path,
            "numbers read": float(len(set(self.feature[self.inner].tolist()))),
        }

    @property
    def reached(self) -> Float[Tensor, " nodes"]:  # type: ignore[override]
        """Pictures fitted on that came to each node."""
        return self.counts.sum(dim=1)

    @property
    def answer(self) -> Int[Tensor, " nodes"]:
        """The class of most pictures of each leaf; of equal ones the first."""
        return torch.where(self.children[:, 0] == NONE, self.counts.argmax(dim=1), NONE)

    def affirmed(self, x: Float[Tensor, "n m"]) -> Bool[Tensor, "n nodes"]:
        """Return whether the concept of each node is present in each picture."""
        return (x[:, self.feature.clamp_min(0)] > self.threshold) & (self.feature != NONE)

    def scores(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j"]:
        """Return the logarithm of the class shares of the leaf in which each picture ends."""
        counts = self.counts[self.ends(x)] + PRIOR
        return (counts / counts.sum(dim=1, keepdim=True)).log()

    def plain(self) -> dict[str, Any]:
        """Return the arrays of the nodes."""
        return {name: getattr(self, name).tolist() for name in ("feature", "threshold", "children", "counts")}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Tree":
        """Read back what `plain` gave."""
        children = checked_children(plain["children"])
        feature = torch.tensor(plain["feature"], dtype=torch.long)
        threshold, counts = (torch.tensor(plain[name], dtype=torch.float32) for name in ("threshold", "counts"))
        nodes = len(children)
        if feature.shape != (nodes,) or threshold.shape != (nodes,) or counts.dim() != 2 or len(counts) != nodes:
            raise ValueError("features, thresholds and counts do not fit the nodes")
        if bool(((feature < 0) != (children[:, 0] == NONE)).any()) or bool((counts < 0).any()):
            raise ValueError("a leaf asks, or an inner node does not, or counts are negative")
        return cls(feature, threshold, children, counts)

    def text(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Return the questions as indented lines; a leaf says its class and how many of its pictures have it."""
        questions = []
        for node, (which, bar) in enumerate(zip(self.feature.tolist(), self.threshold.tolist(), strict=True)):
            denied, affirmed = self.ways(node)
            questions.append(
                (f"{names[which]} {denied} (at most {bar:.3g})", f"{names[which]} {affirmed} (above {bar:.3g})")
            )
        return self.outline(questions, [self.end(node, classes) for node in range(len(self.children))])

    def ways(self, node: int) -> tuple[str, str]:
        """Return how the two answers to the question of a node are called: "absent" and "present", or, above the higher of two thresholds of a concept, "strong"."""
        same = self.feature == self.feature[node]
        higher = bool((self.threshold[same] < self.threshold[node]).any())
        return ("not strong", "strong") if higher else ("absent", "present")

    def end(self, node: int, classes: Sequence[str]) -> str:
        """Return what a leaf answers: "frog (41 of 48)"."""
        best = int(self.counts[node].argmax())
        return f"{classes[best]} ({self.counts[node, best]:.0f} of {self.counts[node].sum():.0f})"


@dataclass(frozen=True, eq=False)
class _Grown:
    """The arrays of scikit-learn's tree, whose nodes are numbered in the order in which they were opened.

    Attributes:
        left, right: children; -1 at leaves.
        column: that is asked for.
        counts: by class (nodes, j).
    """

    left: Int[np.ndarray, " nodes"]
    right: Int[np.ndarray, " nodes"]
    column: Int[np.ndarray, " nodes"]
    counts: Float[np.ndarray, "nodes j"]

    def cut(self, leaves: int) -> "_Grown":
        """Return the tree as it was when it had so many leaves, without questions whose two answers are the same."""
        opened, left, right = 2 * leaves - 1, self.left.tolist(), self.right.tolist()
        feature: list[int] = []
        children: list[tuple[int, int]] = []
        counts: list[Any] = []

        def same(node: int) -> int | None:
            """Return the one class that is answered below a node; None where there are several."""
            if left[node] < 0 or left[node] >= opened:
                return int(self.counts[node].argmax())
            one, other = same(left[node]), same(right[node])
            return one if one == other else None

        def add(node: int) -> int:
            place = len(feature)
            feature.append(NONE)
            children.append((NONE, NONE))
            counts.append(self.counts[node])
            if same(node) is None:
                feature[place] = int(self.column[node])
                children[place] = (add(left[node]), add(right[node]))
            return place

        add(0)
        links = np.array(children)
        return _Grown(links[:, 0], links[:, 1], np.array(feature), np.stack(counts))

    def named(self, presence: Presence) -> Tree:
        """Return the tree over what was read, from columns to concepts with their thresholds."""
        column = torch.from_numpy(self.column).long()
        asked = column != NONE
        feature, threshold = column.clone(), torch.zeros(len(column))
        feature[asked], threshold[asked] = presence.number[column[asked]], presence.threshold[column[asked]]
        children = torch.from_numpy(np.stack([self.left, self.right], axis=1)).long()
        return Tree(feature, threshold, children, torch.from_numpy(self.counts).float())


def _grown(present: Bool[Tensor, "n k"], classes: Int[Tensor, " n"], count: int, seed: int) -> _Grown:
    """Return the largest tree."""
    whole = np.bincount(classes.numpy(), minlength=count)[None].astype(float)
    if not present.shape[1]:
        return _Grown(np.array([NONE]), np.array([NONE]), np.array([NONE]), whole)
    model = DecisionTreeClassifier(max_leaf_nodes=max(SIZES), min_samples_leaf=LEAST, random_state=seed)
    tree = model.fit(present.float().numpy(), classes.numpy()).tree_
    counts = np.zeros((tree.node_count, count))
    counts[:, model.classes_] = tree.value[:, 0] * tree.n_node_samples[:, None]
    left, right, column = (each.astype(np.int64) for each in (tree.children_left, tree.children_right, tree.feature))
    return _Grown(left, right, column, counts.round())
