"""Which pictures pass which nodes of a tree or a hierarchy, and where those go wrong that end elsewhere than the network says."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.data.features import Features
from seewhy.surrogates.branching import NONE, Branching


@dataclass(frozen=True, eq=False)
class Flow:
    """Pictures on their way through the nodes.

    Attributes:
        came: whether each picture passed each node (n, nodes).
        ends: leaf in which each picture ends (n,).
        said: what the student says, as an index of the network's answer (n,).
        network: what the network says (n,).
        labels: what is true, -1 where it is not known (n,).
        lost: node at which each picture went where the network's class is answered no more (n,); -1 where the student says what the network says, and where it
            answers that class nowhere. Each disagreement about a class that can be answered has just one such node: there it went wrong.
        x: what is read of each picture (n, m).
    """

    came: Bool[Tensor, "n nodes"]
    ends: Int[Tensor, " n"]
    said: Int[Tensor, " n"]
    network: Int[Tensor, " n"]
    labels: Int[Tensor, " n"]
    lost: Int[Tensor, " n"]
    x: Float[Tensor, "n m"]

    @classmethod
    def of(cls, model: Branching, x: Float[Tensor, "n m"], features: Features, classes: tuple[int, ...]) -> "Flow":
        """Return the ways of pictures.

        Args:
            model: the tree or hierarchy.
            x: what is read of each picture.
            features: of the same pictures.
            classes: that were learned, as indices of the network's answer.
        """
        route = model.route(x)
        known = torch.tensor(classes)
        came = torch.zeros(len(x), len(model.children), dtype=torch.bool)
        for nodes in route.T:
            passed = nodes != NONE
            came[passed.nonzero()[:, 0], nodes[passed]] = True
        ends = model.ends(x)
        network = features.predicted
        said = known[model.answer[ends]]
        return cls(came, ends, said, network, features.labels, _lost(model, route, network, known), x)

    @property
    def agrees(self) -> Bool[Tensor, " n"]:
        """Whether the student says what the network says."""
        return self.said == self.network

    def count(self, node: int) -> int:
        """Return how many pictures passed a node."""
        return int(self.came[:, node].sum())

    def at(self, node: int) -> Int[Tensor, " p"]:
        """Return the pictures that passed a node."""
        return self.came[:, node].nonzero()[:, 0]


def answered(model: Branching, known: Int[Tensor, " j"]) -> list[set[int]]:
    """Return the classes, as indices of the network's answer, that can be answered below each node."""
    return [{int(known[place]) for place in model.classes_below(node)} for node in range(len(model.children))]


def _lost(
    model: Branching, route: Int[Tensor, "n steps"], network: Int[Tensor, " n"], known: Int[Tensor, " j"]
) -> Int[Tensor, " n"]:
    below = answered(model, known)
    lost = torch.full((len(route),), NONE)
    for place, (nodes, wanted) in enumerate(zip(route.tolist(), network.tolist(), strict=True)):
        open_here = [node for node in nodes if node != NONE and wanted in below[node]]
        if open_here and model.children[open_here[-1], 0] != NONE:
            lost[place] = open_here[-1]
    return lost
