"""Readable models that ask one question after the other: what trees and hierarchies share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.surrogates.surrogate import Surrogate

NONE = -1
"""Stands for no node, and for no class."""
LARGEST = 100_000
"""Nodes of a model that is read back."""
DEEPEST = 200
"""Questions one after the other in a model that is read back."""


class Branching(Surrogate):
    """Nodes with a question each and two ways on, down to leaves with a class each. Node 0 is the root; a node has a smaller number than those below it.

    Subclasses are frozen dataclasses with these attributes.

    Attributes:
        children: of each node (nodes, 2): where a picture goes on for which the question is denied, and affirmed; -1 twice for a leaf.
        reached: pictures fitted on that came to each node (nodes,).
    """

    children: Int[Tensor, "nodes 2"]
    reached: Float[Tensor, " nodes"]

    @property
    @abstractmethod
    def answer(self) -> Int[Tensor, " nodes"]:
        """The class of each leaf, as a place among those that were learned; -1 for inner nodes."""

    @abstractmethod
    def affirmed(self, x: Float[Tensor, "n m"]) -> Bool[Tensor, "n nodes"]:
        """Return whether the question of each node is affirmed for each picture; False at leaves."""

    @property
    def inner(self) -> Int[Tensor, " i"]:
        """Numbers of the nodes that ask."""
        return (self.children[:, 0] != NONE).nonzero()[:, 0]

    @property
    def leaves(self) -> Int[Tensor, " l"]:
        """Numbers of the nodes that answer."""
        return (self.children[:, 0] == NONE).nonzero()[:, 0]

    @property
    def depths(self) -> Int[Tensor, " nodes"]:
        """How many questions are asked before each node."""
        return depths_of(self.children)

    @property
    def mean_path(self) -> float:
        """Questions that a picture is asked, the mean over the pictures fitted on."""
        ends = self.leaves
        total = self.reached[ends].sum()
        return float((self.depths[ends] * self.reached[ends]).sum() / total) if total > 0 else 0.0

    def route(self, x: Float[Tensor, "n m"]) -> Int[Tensor, "n steps"]:
        """Return the nodes that each picture passes, from the root to its leaf; -1 after it."""
        yes = self.affirmed(x).long()
        here = torch.zeros(len(x), dtype=torch.long)
        passed = [here]
        for _ in range(int(self.depths.max())):
            side = yes.gather(1, here.clamp_min(0)[:, None])[:, 0]
            here = torch.where(here == NONE, NONE, self.children[here.clamp_min(0), side])
            passed.append(here)
        return torch.stack(passed, dim=1)

    def ends(self, x: Float[Tensor, "n m"]) -> Int[Tensor, " n"]:
        """Return the leaf in which each picture ends."""
        route = self.route(x)
        return route.gather(1, (route != NONE).sum(dim=1, keepdim=True) - 1)[:, 0]

    def below(self, node: int) -> list[int]:
        """Return the leaves below a node, from the denied side to the affirmed; a leaf is its own."""
        denied, affirmed = self.children[node].tolist()
        return [node] if denied == NONE else [*self.below(denied), *self.below(affirmed)]

    def classes_below(self, node: int) -> list[int]:
        """Return the classes that can be answered below a node, each once, in the order of the leaves."""
        return list(dict.fromkeys(self.answer[self.below(node)].tolist()))

    def outline(self, questions: Sequence[tuple[str, str]], ends: Sequence[str] = ()) -> str:
        """Return the nodes as indented lines.

        Args:
            questions: of each node, how it is said that it is denied, and affirmed; unused at leaves.
            ends: of each node, what follows at a leaf; nothing where the ways on say it already.
        """
        lines: list[str] = []

        def tell(node: int, level: int) -> None:
            for way, child in zip(questions[node], self.children[node].tolist(), strict=True):
                leaf = self.children[child, 0] == NONE
                lines.append("  " * level + way + (f": {ends[child]}" if leaf and ends else ""))
                if not leaf:
                    tell(child, level + 1)

        if self.children[0, 0] == NONE:
            return ends[0]
        tell(0, 0)
        return "\n".join(lines)


def checked_children(given: Any) -> Int[Tensor, "nodes 2"]:
    """Return children that were read from a file; raise `ValueError` where they are no tree in the order that is promised."""
    children = torch.tensor(given, dtype=torch.long)
    if children.dim() != 2 or children.shape[1] != 2 or not 0 < len(children) <= LARGEST:
        raise ValueError("the children of the nodes are no table of two columns")
    linked = children[children != NONE]
    whole = torch.equal(linked.sort().values, torch.arange(1, len(children)))
    later = bool((children > torch.arange(len(children))[:, None])[children != NONE].all())
    if not whole or not later or bool(((children == NONE).sum(dim=1) == 1).any()):
        raise ValueError("the nodes are not linked as a tree")
    if int(depths_of(children).max()) > DEEPEST:
        raise ValueError(f"the nodes ask more than {DEEPEST} questions one after the other")
    return children


def depths_of(children: Int[Tensor, "nodes 2"]) -> Int[Tensor, " nodes"]:
    """Return how many nodes lie above each."""
    depths = [0] * len(children)
    for node, below in enumerate(children.tolist()):
        for child in below:
            if child != NONE:
                depths[child] = depths[node] + 1
    return torch.tensor(depths)
