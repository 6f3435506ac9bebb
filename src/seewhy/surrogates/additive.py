"""Additive model: a curve of each number for each class, and the curves are added up."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.rules import drawn, moved
from seewhy.surrogates.softmax import STEPS, fitted, residual, start_bias
from seewhy.surrogates.surrogate import Surrogate

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)
"""Numbers read that models are handed out at."""
ROWS = 4000
"""Pictures that are learned from; of more, so many are drawn."""
KNOTS = (0.02, 0.26, 0.5, 0.74, 0.98)
"""Quantiles at which curves may bend; beyond the outer two they are level."""
QUICK = 12
"""Steps of the fit between two sizes; one that is handed out is fitted to the end."""
RIDGE = 1e-3
"""Share of a number's own variance that is added to it, so that curves of numbers which hardly move do not count as steep."""
MOST_KNOTS = 1000
SHOWN = 3
"""Classes that the text names for a number: those that it moves most."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What one number adds to each class.

    Attributes:
        number: which of the numbers that are read.
        knots: rising (q,).
        values: what it adds at the knots, straight lines between them, level beyond (q, j).
    """

    number: int
    knots: Float[Tensor, " q"]
    values: Float[Tensor, "q j"]

    def at(self, column: Float[Tensor, " n"]) -> Float[Tensor, "n j"]:
        """Return what it adds where the number is this."""
        return hats(column, self.knots) @ self.values


@dataclass(frozen=True, eq=False)
class Additive(Surrogate):
    """score_j = bias_j + sum_i f_ij(x_i): main effects only, each f a line with up to five knots; probabilities by softmax.

    Numbers are chosen greedily: the one whose curves, of all that are not read yet, go along most of the residual of the probabilities; then all
    curves are fitted anew, together, by log-loss with a small penalty. Over the pictures that were learned from, each curve has mean 0.

    Attributes:
        curves: of the numbers that are read, the first chosen first.
        bias: (j,).

    Source: Hastie and Tibshirani 1986 (generalized additive models); Lou, Caruana and Gehrke 2012 (shapes for reading). Differs in: lines with knots
        at quantiles, all fitted together, in the place of boosted trees or backfitted splines.
    Limits: no interactions. What is read moves together, so a curve is what the number adds beside the others, not alone.
    """

    curves: tuple[Curve, ...]
    bias: Float[Tensor, " j"]

    key: ClassVar = "additive"
    title: ClassVar = "additive model"
    unit: ClassVar = "numbers read"

    @classmethod
    def path(cls, lesson: Lesson, seed: int = 0) -> Iterator["Additive"]:
        """Yield models that read 1, 2, 3 … numbers."""
        growing = _Growing(lesson, seed)
        for size in range(1, min(int(growing.free.sum()), max(SIZES)) + 1):
            growing.read_one_more()
            if size in SIZES:
                yield cls(*growing.fitted_to_the_end())

    @property
    def numbers(self) -> tuple[int, ...]:
        """Which numbers are read."""
        return tuple(curve.number for curve in self.curves)

    @property
    def size(self) -> float:
        """How many different numbers are read."""
        return float(len(self.curves))

    @property
    def sizes(self) -> Mapping[str, float]:
        """Numbers read, and knots of all curves of a class."""
        return {self.unit: self.size, "knots": sum(len(curve.knots) for curve in self.curves)}

    def scores(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j"]:
        """Return the sums."""
        return self.terms(x).sum(dim=2) + self.bias

    def terms(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j q"]:
        """Return what each number that is read (`numbers`) adds to each class; with the bias they add up to the scores."""
        return torch.stack([curve.at(x[:, curve.number]) for curve in self.curves], dim=2)

    def plain(self) -> dict[str, Any]:
        """Return the curves and the bias."""
        curves = [
            {"number": curve.number, "knots": curve.knots.tolist(), "values": curve.values.tolist()}
            for curve in self.curves
        ]
        return {"curves": curves, "bias": self.bias.tolist()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Additive":
        """Read back what `plain` gave."""
        bias = torch.tensor(plain["bias"], dtype=torch.float32)
        curves = tuple(_curve(one, len(bias)) for one in plain["curves"])
        if bias.dim() != 1 or not curves:
            raise ValueError("an additive model without curves, or without a bias")
        return cls(curves, bias)

    def text(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Return a block for each number: what it adds, at its knots, to the classes that it moves most."""
        lines = ["to begin with: " + moved(self.bias.tolist(), classes)]
        for curve in self.curves:
            lines.append(f"{names[curve.number]} = " + _row(curve.knots, ".3g"))
            reach = curve.values.amax(dim=0) - curve.values.amin(dim=0)
            most = reach.argsort(descending=True)[:SHOWN].tolist()
            lines += [f"  {classes[index]}: {_row(curve.values[:, index], '+.2f')}" for index in most]
        return "\n".join(lines)


def hats(column: Float[Tensor, " n"], knots: Float[Tensor, " q"]) -> Float[Tensor, "n q"]:
    """Return how near a number is to each knot: 1 at it, 0 at its neighbours, straight between; rows add up to 1."""
    right = torch.searchsorted(knots, column.contiguous()).clamp(1, len(knots) - 1)
    share = ((column - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0, 1)
    made = column.new_zeros(len(column), len(knots))
    made.scatter_(1, right[:, None], share[:, None])
    return made.scatter_(1, right[:, None] - 1, 1 - share[:, None])


def knots_of(column: Float[Tensor, " n"]) -> Float[Tensor, " q"]:
    """Return the different values at the quantiles; where there is one only, the least and the largest value."""
    order = column.sort().values
    places = [round(share * (len(order) - 1)) for share in KNOTS]
    found = torch.unique(order[places])
    return found if len(found) > 1 else order[[0, -1]]


class _Growing:
    """An additive model that reads one number more at a time."""

    def __init__(self, lesson: Lesson, seed: int) -> None:
        rows = drawn(len(lesson.x), seed, ROWS)
        self.x, self.targets = lesson.x[rows].float(), lesson.targets[rows].double()
        self.free: Bool[Tensor, " m"] = dataclasses.replace(lesson, x=self.x).varying
        self.numbers: list[int] = []
        self.knots: dict[int, Tensor] = {
            number: knots_of(self.x[:, number]) for number in self.free.nonzero()[:, 0].tolist()
        }
        self.directions = self._directions()
        self.columns = self.x.new_zeros(len(self.x), 0)
        self.weights = torch.zeros(0, self.targets.shape[1], dtype=torch.float64)
        self.bias = start_bias(self.targets)

    def read_one_more(self) -> None:
        """Add the number whose curves go along most of the residual."""
        rest = residual(self.columns.double() @ self.weights + self.bias, self.targets)
        along = torch.einsum("mqn,nj->mqj", self.directions, rest.to(self.directions))
        number = int(along.square().sum(dim=(1, 2)).masked_fill(~self.free, -1).argmax())
        self.free[number] = False
        self.numbers.append(number)
        self.columns = torch.cat([self.columns, self._centred(number)], dim=1)
        start = self.weights.new_zeros(len(self.knots[number]), self.targets.shape[1])
        self.weights = torch.cat([self.weights, start])
        self.fit(QUICK)

    def fit(self, steps: int) -> None:
        """Fit all curves and the bias, beginning with what they are now."""
        self.weights, self.bias = fitted(self.columns, self.targets, self.weights, self.bias, steps=steps)

    def fitted_to_the_end(self) -> tuple[tuple[Curve, ...], Float[Tensor, " j"]]:
        """Return curves and bias."""
        self.fit(STEPS)
        sizes = [len(self.knots[number]) for number in self.numbers]
        curves = []
        for number, values in zip(self.numbers, torch.split(self.weights, sizes), strict=True):
            mean = hats(self.x[:, number], self.knots[number]).double().mean(dim=0)
            curves.append(Curve(number, self.knots[number], (values - mean @ values).float()))
        return tuple(curves), (self.bias - self.bias.mean()).float()

    def _centred(self, number: int) -> Float[Tensor, "n q"]:
        made = hats(self.x[:, number], self.knots[number])
        return made - made.mean(dim=0)

    def _directions(self) -> Float[Tensor, "m q n"]:
        """Return for each number directions of length 1 that its curves span: those of its hats, made independent."""
        made = self.x.new_zeros(self.x.shape[1], len(KNOTS), len(self.x))
        for number, knots in self.knots.items():
            made[number, : len(knots)] = self._centred(number).T
        values, vectors = torch.linalg.eigh(made @ made.transpose(1, 2))
        floor = RIDGE * values.amax(dim=1, keepdim=True).clamp_min(1e-12)
        scale = torch.where(values > floor, (values + floor).rsqrt(), 0)
        found: Tensor = (vectors * scale[:, None]).transpose(1, 2) @ made
        return found


def _row(values: Float[Tensor, " q"], spelled: str) -> str:
    return " | ".join(format(value, spelled) for value in values.tolist())


def _curve(plain: Mapping[str, Any], classes: int) -> Curve:
    knots, values = (torch.tensor(plain[name], dtype=torch.float32) for name in ("knots", "values"))
    if not 2 <= len(knots) <= MOST_KNOTS or values.shape != (len(knots), classes):
        raise ValueError("knots and values of a curve do not fit each other")
    if not bool((knots.diff() > 0).all()) or not bool(values.isfinite().all() and knots.isfinite().all()):
        raise ValueError("the knots of a curve do not rise, or one of its values is not finite")
    number = int(plain["number"])
    if number < 0:
        raise ValueError(f"a curve of number {number}")
    return Curve(number, knots, values)
