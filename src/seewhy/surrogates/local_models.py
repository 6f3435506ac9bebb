"""Models that read which superpixels are shown: a sum of weights, and a small tree of questions."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.attribution.lime import Neighbours
from seewhy.ops.coalitions import linear_fit
from seewhy.render.bar import figures

M = TypeVar("M", bound="LocalModel")

SUPERPIXELS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
"""How many superpixels a linear model may read; also all of them."""
LEAVES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
"""Of trees."""
SMALLEST = 3
"""Neighbours in a leaf, at least."""


class LocalModel(ABC):
    """From which of n superpixels are shown to a score. Subclasses are frozen dataclasses, born fitted by `path`.

    Attributes:
        key: "linear" or "tree".
        title: for people.
        unit: what its size counts.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str]

    @classmethod
    @abstractmethod
    def path(cls: type[M], drawn: Neighbours, seed: int = 0) -> Iterator[tuple[int, M]]:
        """Yield models fitted to all of these neighbours by least squares, as each counts, with the size that each may have at most; the smallest first."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How much there is to read, in `unit`."""

    @property
    @abstractmethod
    def used(self) -> tuple[int, ...]:
        """Numbers of the superpixels that it reads, in order."""

    @abstractmethod
    def scores(self, shown: Bool[Tensor, "m n"]) -> Float[Tensor, " m"]:
        """Return what it says of each choice of superpixels."""

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, ready for JSON."""

    @abstractmethod
    def text(self) -> str:
        """Return the model as people read it; superpixels are counted from 1."""

    def effects(self, drawn: Neighbours) -> Float[Tensor, " n"]:
        """Return what showing each superpixel adds to its score, on average over neighbours; for a linear model these are its weights."""
        found = torch.zeros(drawn.shown.shape[1], dtype=torch.float64)
        for number in self.used:
            with_it, without = drawn.shown.clone(), drawn.shown.clone()
            with_it[:, number], without[:, number] = True, False
            found[number] = drawn.weights @ (self.scores(with_it) - self.scores(without)) / drawn.weights.sum()
        return found


@dataclass(frozen=True, eq=False)
class LocalLinear(LocalModel):
    """score = bias + sum of the weights of the superpixels that are shown, with few weights that are not zero.

    Which superpixels it reads is found greedily: the one that goes best with what is not explained yet joins, and all weights are fitted anew.

    Attributes:
        weights: one for each superpixel, in units of the score.
        bias: what it says where nothing is shown.

    Source: Pati et al. 1993, doi 10.1109/ACSSC.1993.342465 (orthogonal matching pursuit); Ribeiro et al. 2016, arXiv 1602.04938, algorithm 1, which
        chooses by a lasso path instead.
    """

    weights: Float[Tensor, " n"]
    bias: float

    key: ClassVar = "linear"
    title: ClassVar = "linear model"
    unit: ClassVar = "superpixels"

    @classmethod
    def path(cls, drawn: Neighbours, seed: int = 0) -> Iterator[tuple[int, "LocalLinear"]]:
        """Yield models of 0, 1, 2 … superpixels."""
        players = drawn.shown.shape[1]
        share = drawn.weights / drawn.weights.sum()
        x = drawn.shown.double() - share @ drawn.shown.double()
        length = (share @ x.square()).sqrt()
        chosen: list[int] = []
        for size in range(min(players, len(x) - 2) + 1):
            model = cls._fitted(drawn, chosen)
            if size in SUPERPIXELS or size == players:
                yield size, model
            rest = drawn.worths - model.scores(drawn.shown)
            gain = ((share * rest) @ x).abs() / length.clamp_min(1e-12)
            gain[chosen] = -1.0
            chosen.append(int(gain.argmax()))

    @classmethod
    def _fitted(cls, drawn: Neighbours, chosen: Sequence[int]) -> "LocalLinear":
        weights = torch.zeros(drawn.shown.shape[1], dtype=torch.float64)
        if chosen:
            columns = list(chosen)
            weights[columns] = linear_fit(drawn.shown[:, columns], drawn.worths, drawn.weights, 0.0).values
        rest = drawn.worths - drawn.shown.double() @ weights
        return cls(weights, float(drawn.weights @ rest / drawn.weights.sum()))

    @property
    def size(self) -> int:
        """How many superpixels it reads."""
        return len(self.used)

    @property
    def used(self) -> tuple[int, ...]:
        """Those whose weights are not zero."""
        return tuple(self.weights.nonzero()[:, 0].tolist())

    def scores(self, shown: Bool[Tensor, "m n"]) -> Float[Tensor, " m"]:
        """Return the sums."""
        return shown.double() @ self.weights + self.bias

    def plain(self) -> dict[str, Any]:
        """Return bias and weights."""
        return {"bias": self.bias, "weights": self.weights.tolist()}

    def text(self) -> str:
        """Return the sum, its largest weights first."""
        order = sorted(self.used, key=lambda number: -abs(float(self.weights[number])))
        terms = [f"{float(self.weights[number]):+.3g} if superpixel {number + 1} is shown" for number in order]
        return "\n".join([f"score = {figures(self.bias)}", *(f"  {term}" for term in terms)])


@dataclass(frozen=True, eq=False)
class LocalTree(LocalModel):
    """A tree of questions "is this superpixel shown?", with a score in each leaf.

    Attributes:
        asks: of each node, the superpixel that it asks about; -1 in a leaf.
        hidden, shown: of each node, the node that follows where it is hidden, and where it is shown; -1 in a leaf.
        values: of each node, the mean score of the neighbours that reach it, as each counts.
        shares: of each node, the share of the neighbours that reach it, as each counts.

    Source: Breiman et al. 1984, Classification and Regression Trees; grown best first, by scikit-learn.
    """

    asks: Int[Tensor, " t"]
    hidden: Int[Tensor, " t"]
    shown: Int[Tensor, " t"]
    values: Float[Tensor, " t"]
    shares: Float[Tensor, " t"]

    key: ClassVar = "tree"
    title: ClassVar = "small tree"
    unit: ClassVar = "leaves"

    @classmethod
    def path(cls, drawn: Neighbours, seed: int = 0) -> Iterator[tuple[int, "LocalTree"]]:
        """Yield trees of at most 1, 2, 3 … leaves."""
        for leaves in LEAVES:
            yield leaves, cls._grown(drawn, leaves, seed)

    @classmethod
    def _grown(cls, drawn: Neighbours, leaves: int, seed: int) -> "LocalTree":
        from sklearn.tree import DecisionTreeRegressor  # type: ignore[import-untyped]

        if leaves == 1:
            mean = drawn.weights @ drawn.worths / drawn.weights.sum()
            one = torch.full((1,), -1)
            return cls(one, one, one, mean.view(1), torch.ones(1, dtype=torch.float64))
        fitted = DecisionTreeRegressor(max_leaf_nodes=leaves, min_samples_leaf=SMALLEST, random_state=seed)
        # A node is kept or split by its mean squared error: scores are brought to one scale, so that small ones are not taken for equal.
        scale = float(drawn.worths.abs().max()) or 1.0
        tree = fitted.fit(drawn.shown.numpy(), (drawn.worths / scale).numpy(), drawn.weights.numpy()).tree_
        reached = torch.from_numpy(tree.weighted_n_node_samples.copy())
        return cls(
            torch.from_numpy(tree.feature.copy()).long().clamp_min(-1),
            torch.from_numpy(tree.children_left.copy()).long(),
            torch.from_numpy(tree.children_right.copy()).long(),
            torch.from_numpy(tree.value[:, 0, 0].copy()) * scale,
            reached / reached[0],
        )

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return int((self.asks < 0).sum())

    @property
    def used(self) -> tuple[int, ...]:
        """Those that any node asks about."""
        return tuple(torch.unique(self.asks[self.asks >= 0]).tolist())

    @property
    def depth(self) -> int:
        """How many questions are asked at most."""
        return max(len(path) for path, _ in self.leaves())

    def scores(self, shown: Bool[Tensor, "m n"]) -> Float[Tensor, " m"]:
        """Return the value of the leaf that each choice comes to."""
        at = torch.zeros(len(shown), dtype=torch.long)
        while bool((self.asks[at] >= 0).any()):
            inner = self.asks[at] >= 0
            said = shown.gather(1, self.asks[at].clamp_min(0)[:, None])[:, 0]
            at = torch.where(inner, torch.where(said, self.shown[at], self.hidden[at]), at)
        return self.values[at]

    def leaves(self) -> Iterator[tuple[tuple[tuple[int, bool], ...], int]]:
        """Yield the questions and answers that lead to each leaf, and its number; shown before hidden."""
        stack: list[tuple[tuple[tuple[int, bool], ...], int]] = [((), 0)]
        while stack:
            path, node = stack.pop()
            asked = int(self.asks[node])
            if asked < 0:
                yield path, node
                continue
            stack.append(((*path, (asked, False)), int(self.hidden[node])))
            stack.append(((*path, (asked, True)), int(self.shown[node])))

    def plain(self) -> dict[str, Any]:
        """Return the nodes."""
        return {
            "asks": self.asks.tolist(),
            "hidden": self.hidden.tolist(),
            "shown": self.shown.tolist(),
            "values": self.values.tolist(),
            "shares": self.shares.tolist(),
        }

    def text(self) -> str:
        """Return the questions, each answer further in than the question."""
        return "\n".join(self._lines(0, 0))

    def _lines(self, node: int, deep: int) -> Iterator[str]:
        asked, pad = int(self.asks[node]), "  " * deep
        if asked < 0:
            yield f"{pad}score = {figures(float(self.values[node]))} ({float(self.shares[node]):.0%} of the neighbours)"
            return
        for word, follows in (("shown", self.shown[node]), ("hidden", self.hidden[node])):
            yield f"{pad}superpixel {asked + 1} is {word}:"
            yield from self._lines(int(follows), deep + 1)


def local_kinds() -> Mapping[str, type[LocalModel]]:
    """Return the models that can stand in around one photo, by key."""
    return {kind.key: kind for kind in (LocalLinear, LocalTree)}
