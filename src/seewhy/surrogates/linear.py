"""Sparse logistic regression: a few weights for each class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.surrogates.descent import lowest
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.sparse_logistic import standard
from seewhy.surrogates.surrogate import Surrogate

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
"""Non-zeros per class that are fitted."""
PENALTY = 1e-3
"""Of the squared weights, beside the mean log-loss."""
STEPS = 60


@dataclass(frozen=True, eq=False)
class Linear(Surrogate):
    """score_j = bias_j + sum_i weight_ji (x_i - mean_i) / scale_i, with few weights that are not zero; probabilities by softmax.

    Which numbers a class reads is found greedily: the one along which the log-loss of that class falls most steeply joins, then all
    weights are fitted anew.

    Attributes:
        weights: (j, m), in units of a deviation of what is read.
        bias: (j,).
        mean, scale: of what is read (m,).

    Source: Pati et al. 1993 and Lozano et al. 2011 (orthogonal matching pursuit, for logistic loss).
    Limits: what is read moves together, so another set of numbers may do as well; a weight is no cause.
    """

    weights: Float[Tensor, "j m"]
    bias: Float[Tensor, " j"]
    mean: Float[Tensor, " m"]
    scale: Float[Tensor, " m"]

    key: ClassVar = "linear"
    title: ClassVar = "sparse linear model"
    unit: ClassVar = "non-zeros per class"

    @classmethod
    def path(cls, lesson: Lesson, seed: int = 0) -> Iterator["Linear"]:
        """Yield models of 1, 2, 3 … non-zeros per class."""
        mean, scale = standard(lesson.x)
        moves = torch.isfinite(scale)
        x, targets = ((lesson.x - mean) / scale).double(), lesson.targets.double()
        used = torch.zeros(targets.shape[1], x.shape[1], dtype=torch.bool)
        weights, bias = torch.zeros(used.shape, dtype=torch.float64), targets.mean(dim=0).clamp_min(1e-6).log()
        for size in range(1, min(int(moves.sum()), max(SIZES)) + 1):
            rest = (x @ weights.T + bias).softmax(dim=1) - targets
            steep = (rest.T @ x).abs().masked_fill(used | ~moves, -1)
            used[torch.arange(len(used)), steep.argmax(dim=1)] = True
            if size < 10 or size in SIZES:
                weights, bias = _fitted(x, targets, used, weights, bias)
            if size in SIZES:
                yield cls(weights.float(), bias.float(), mean, scale)

    @property
    def size(self) -> float:
        """Mean number of weights of a class that are not zero."""
        return float((self.weights != 0).sum(dim=1).float().mean())

    @property
    def sizes(self) -> Mapping[str, float]:
        """Non-zeros per class, and how many different numbers are read at all."""
        return {self.unit: self.size, "numbers read": float((self.weights != 0).any(dim=0).sum())}

    def scores(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j"]:
        """Return the logits."""
        return ((x - self.mean) / self.scale) @ self.weights.T + self.bias

    def terms(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j m"]:
        """Return what each number adds to each class: the terms of the sum, which with the bias are the scores."""
        return ((x - self.mean) / self.scale)[:, None] * self.weights

    def plain(self) -> dict[str, Any]:
        """Return weights, bias, mean and scale; the scale of what never moves is null."""
        scale = [None if value == float("inf") else value for value in self.scale.tolist()]
        return {
            "weights": self.weights.tolist(),
            "bias": self.bias.tolist(),
            "mean": self.mean.tolist(),
            "scale": scale,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Linear":
        """Read back what `plain` gave."""
        scale = [float("inf") if value is None else value for value in plain["scale"]]
        weights, bias, mean = (torch.tensor(plain[name], dtype=torch.float32) for name in ("weights", "bias", "mean"))
        made = cls(weights, bias, mean, torch.tensor(scale, dtype=torch.float32))
        if weights.dim() != 2 or weights.shape != (len(bias), len(mean)) or len(mean) != len(made.scale):
            raise ValueError("weights, bias, mean and scale do not fit each other")
        return made

    def text(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Return a line for each class, its largest weights first."""
        lines = []
        for name, row in zip(classes, self.weights, strict=True):
            order = [i for i in row.abs().argsort(descending=True).tolist() if row[i] != 0]
            lines.append(
                f"{name}: " + (", ".join(f"{float(row[i]):+.2f} {names[i]}" for i in order) or "the bias alone")
            )
        return "\n".join(lines)


def _fitted(
    x: Float[Tensor, "n m"],
    targets: Float[Tensor, "n j"],
    used: Bool[Tensor, "j m"],
    weights: Float[Tensor, "j m"],
    bias: Float[Tensor, " j"],
) -> tuple[Float[Tensor, "j m"], Float[Tensor, " j"]]:
    """Return the weights of least log-loss among those that are used, from where the last ones stood."""
    columns = used.any(dim=0).nonzero()[:, 0]
    data, where = x[:, columns], used[:, columns]
    count = int(where.sum())

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        values = torch.from_numpy(flat)
        w = torch.zeros(where.shape, dtype=torch.float64)
        w[where] = values[:count]
        log = (data @ w.T + values[count:]).log_softmax(dim=1)
        rest = (log.exp() * targets.sum(dim=1, keepdim=True) - targets) / len(x)
        slope = torch.cat([(rest.T @ data + PENALTY * w)[where], rest.sum(dim=0)])
        return float(-(targets * log).sum() / len(x) + PENALTY / 2 * w.square().sum()), slope.numpy()

    best = lowest(loss, torch.cat([weights[:, columns][where], bias]), STEPS)
    made = torch.zeros_like(weights)
    made[used] = best[:count]
    return made, best[count:]
