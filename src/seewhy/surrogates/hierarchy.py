"""A hierarchy of the classes, with a small logistic model at each fork."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from scipy.cluster.hierarchy import linkage  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.errors import ConfigError
from seewhy.surrogates.branching import NONE, Branching, checked_children
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.sparse_logistic import order_of, sparse_logistic, standard
from seewhy.surrogates.words import listed

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)
"""Non-zeros of a split that are fitted."""
READING = "Of two groups the one with the larger sum is taken; each number counts as so many deviations above (or below) its mean."
"""Stands over a hierarchy as text."""
SMALL = 0.02
"""A picture that the teacher gives to the classes of a node with less probability than this takes no part in its split."""


@dataclass(frozen=True, eq=False)
class Hierarchy(Branching):
    """Classes that the network confuses lie together; at each fork a sparse logistic model of what is read says which group a picture belongs to.

    log-odds of the right group = bias_f + sum_i weight_fi (x_i - mean_i) / scale_i. A picture goes right where they are positive, down to one class. Its score
    for a class is the smallest of the log-odds on the way to it, each with the sign of the way: positive for the class in which the picture ends, and for no
    other.

    Attributes:
        children: (nodes, 2): left and right of each fork; -1 at the classes.
        weights: of each fork (nodes, m), in units of a deviation of what is read; 0 at the classes.
        bias: (nodes,).
        mean, scale: of what is read (m,).
        member: place of the class at each leaf (nodes,); -1 at forks.
        reached: pictures fitted on that the teacher gives to the classes below each node (nodes,).
        names: of the groups that a user has named, by node.

    Source: Wan et al. 2021 (NBDT), arXiv 2004.00221: Ward's hierarchy. Here without finetuning: rows have length 1, and each split is fitted anew.
    Limits: a wrong turn early is never made good; groups are those of the network, which need not be those of people.
    """

    children: Int[Tensor, "nodes 2"]
    weights: Float[Tensor, "nodes m"]
    bias: Float[Tensor, " nodes"]
    mean: Float[Tensor, " m"]
    scale: Float[Tensor, " m"]
    member: Int[Tensor, " nodes"]
    reached: Float[Tensor, " nodes"]
    names: Mapping[int, str]

    key: ClassVar = "hierarchy"
    title: ClassVar = "class hierarchy"
    unit: ClassVar = "non-zeros per split"

    @classmethod
    def path(cls, lesson: Lesson, seed: int = 0) -> Iterator["Hierarchy"]:
        """Yield hierarchies with 1, 2, 3 … non-zeros in each split."""
        mean, scale = standard(lesson.x)
        x, targets = (lesson.x - mean) / scale, lesson.targets
        children, member = linked(rows_of(lesson, x))
        shape = cls(
            children,
            torch.zeros(len(children), x.shape[1]),
            torch.zeros(len(children)),
            mean,
            scale,
            member,
            torch.zeros(len(children)),
            {},
        )
        taught = torch.searchsorted(torch.tensor(lesson.classes), lesson.taught)
        reached = torch.stack(
            [torch.isin(taught, torch.tensor(shape.classes_below(node))).sum() for node in range(len(children))]
        )
        sizes = [size for size in SIZES if size <= max(1, int(scale.isfinite().sum()))]
        fitted = {node: list(_splits(shape, node, x, targets, sizes)) for node in shape.inner.tolist()}
        for place in range(len(sizes)):
            weights, bias = shape.weights.clone(), shape.bias.clone()
            for node, steps in fitted.items():
                weights[node], bias[node] = steps[place]
            yield replace(shape, weights=weights, bias=bias, reached=reached.float())

    @property
    def size(self) -> float:
        """Mean number of weights of a split that are not zero."""
        return float((self.weights[self.inner] != 0).sum(dim=1).float().mean()) if len(self.inner) else 0.0

    @property
    def sizes(self) -> Mapping[str, float]:
        """Non-zeros per split, forks, depth, mean path length over the pictures fitted on, how many different numbers are read at all."""
        return {
            self.unit: self.size,
            "forks": float(len(self.inner)),
            "depth": float(self.depths.max()),
            "mean path length": self.mean_path,
            "numbers read": float((self.weights != 0).any(dim=0).sum()),
        }

    @property
    def answer(self) -> Int[Tensor, " nodes"]:
        """The class at each leaf."""
        return self.member

    def odds(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n nodes"]:
        """Return the log-odds for the right group at each fork; 0 at leaves."""
        return ((x - self.mean) / self.scale) @ self.weights.T + self.bias

    def terms(self, x: Float[Tensor, "n m"], node: int) -> Float[Tensor, "n m"]:
        """Return what each number adds to the log-odds of a fork; with its bias they are all of it."""
        return (x - self.mean) / self.scale * self.weights[node]

    def affirmed(self, x: Float[Tensor, "n m"]) -> Bool[Tensor, "n nodes"]:
        """Return whether each picture goes right at each fork."""
        return self.odds(x) > 0

    def scores(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j"]:
        """Return the smallest log-odds on the way to each class."""
        odds = self.odds(x)
        least = torch.full_like(odds, torch.inf)
        for node in self.inner.tolist():
            left, right = self.children[node].tolist()
            least[:, left] = torch.minimum(least[:, node], -odds[:, node])
            least[:, right] = torch.minimum(least[:, node], odds[:, node])
        ends = self.leaves
        return least[:, ends[self.member[ends].argsort()]]

    def group(self, node: int, classes: Sequence[str]) -> str:
        """Return what the classes below a node are called: the user's name, or "cat, dog, deer"; of many the first ones and how many more."""
        return self.names.get(node) or listed([classes[place] for place in self.classes_below(node)])

    def called(self, groups: Mapping[str, Collection[str]], classes: Sequence[str]) -> "Hierarchy":
        """Return the same hierarchy with names for groups.

        Args:
            groups: names, and the classes of each; each must be all the classes below one fork.
            classes: names of those that were learned.

        Raises:
            ConfigError: no fork has just these classes.
        """
        found = {frozenset(classes[place] for place in self.classes_below(node)): node for node in self.inner.tolist()}
        for name, members in groups.items():
            if frozenset(members) not in found:
                known = "; ".join(", ".join(sorted(group)) for group in found)
                raise ConfigError(
                    f"{name!r}: no fork has just the classes {', '.join(sorted(members))}; the forks have {known}"
                )
        return replace(
            self, names={**self.names, **{found[frozenset(members)]: name for name, members in groups.items()}}
        )

    def plain(self) -> dict[str, Any]:
        """Return the arrays; of the weights those that are not zero."""
        scale = [None if value == float("inf") else value for value in self.scale.tolist()]
        weights = [[[place, float(row[place])] for place in order_of(row).tolist()] for row in self.weights]
        arrays = {name: getattr(self, name).tolist() for name in ("children", "bias", "mean", "member", "reached")}
        return {
            **arrays,
            "weights": weights,
            "scale": scale,
            "names": {str(node): name for node, name in self.names.items()},
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Hierarchy":
        """Read back what `plain` gave."""
        children = checked_children(plain["children"])
        bias, mean, reached = (torch.tensor(plain[name], dtype=torch.float32) for name in ("bias", "mean", "reached"))
        scale = torch.tensor(
            [float("inf") if value is None else value for value in plain["scale"]], dtype=torch.float32
        )
        member = torch.tensor(plain["member"], dtype=torch.long)
        nodes = len(children)
        if (
            any(value.shape != (nodes,) for value in (bias, member, reached))
            or mean.dim() != 1
            or mean.shape != scale.shape
        ):
            raise ValueError("bias, mean, scale and members do not fit the nodes")
        ends = member[children[:, 0] == NONE]
        if not torch.equal(ends.sort().values, torch.arange(len(ends))) or bool(
            (member[children[:, 0] != NONE] != NONE).any()
        ):
            raise ValueError("the leaves are not each class once")
        weights = torch.zeros(nodes, len(mean))
        for node, row in zip(range(nodes), plain["weights"], strict=True):
            for place, value in row:
                if not 0 <= place < len(mean):
                    raise ValueError(f"a weight of number {place}, which is not read")
                weights[node, place] = value
        return cls(
            children,
            weights,
            bias,
            mean,
            scale,
            member,
            reached,
            {int(node): str(name) for node, name in plain["names"].items()},
        )

    def text(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Return the forks as indented lines: each group with the sum that speaks for it."""
        questions = []
        for node in range(len(self.children)):
            left, right = (
                self.group(child, classes) if child != NONE else "" for child in self.children[node].tolist()
            )
            for_left, for_right = self.sums(node, names)
            questions.append((f"{left}: {for_left}", f"{right}: {for_right}"))
        return f"{READING}\n\n{self.outline(questions)}"

    def sums(self, node: int, names: Sequence[str]) -> tuple[str, str]:
        """Return what speaks for the left and for the right group of a fork, as people read it: "1.20 concept 3 + 0.40 concept 7 + 0.11"."""
        parts: tuple[list[str], list[str]] = ([], [])
        for place in order_of(self.weights[node]).tolist():
            weight = float(self.weights[node, place])
            parts[weight > 0].append(f"{abs(weight):.2f} {names[place]}")
        bias = float(self.bias[node])
        if bias:
            parts[bias > 0].append(f"{abs(bias):.2f}")
        left, right = (" + ".join(side) or "0" for side in parts)
        return left, right


def rows_of(lesson: Lesson, x: Float[Tensor, "n m"]) -> Float[Tensor, "j r"]:
    """Return a row of length 1 for each class, from which the hierarchy is made.

    Where the network teaches, its answers to all pictures, each picture's mean over the classes taken away: classes that rise and fall together are alike. Where
    the labels teach, the mean of what is read over the pictures of the class.
    """
    if lesson.by == "network":
        logits = lesson.outputs[:, list(lesson.classes)].double()
        rows = (logits - logits.mean(dim=1, keepdim=True)).T
        rows = rows - rows.mean(dim=1, keepdim=True)
    else:
        targets = lesson.targets.double()
        rows = (targets.T @ x.double()) / targets.sum(dim=0).clamp_min(1e-12)[:, None]
    unit: Tensor = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return unit


def linked(rows: Float[Tensor, "j r"]) -> tuple[Int[Tensor, "nodes 2"], Int[Tensor, " nodes"]]:
    """Return the children of each node of Ward's hierarchy over rows, and the row at each leaf; the root is node 0."""
    count = len(rows)
    merges = linkage(rows.numpy(), "ward")[:, :2].astype(int)
    children: list[list[int]] = []
    member: list[int] = []

    def add(number: int) -> int:
        place = len(children)
        children.append([NONE, NONE])
        member.append(number if number < count else NONE)
        if number >= count:
            children[place] = [add(int(below)) for below in merges[number - count]]
        return place

    add(2 * count - 2)
    return torch.tensor(children), torch.tensor(member)


def _splits(
    shape: Hierarchy, node: int, x: Float[Tensor, "n m"], targets: Float[Tensor, "n j"], sizes: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the weights and the bias of a fork for each size: which group, given that it is one of the two."""
    left, right = (targets[:, shape.classes_below(child)].sum(dim=1) for child in shape.children[node].tolist())
    either = left + right
    rows = (either > SMALL).nonzero()[:, 0]
    return sparse_logistic(x[rows], right[rows] / either[rows], either[rows], sizes)
