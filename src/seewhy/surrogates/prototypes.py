"""Prototypes: real pictures that speak for their class; a new picture is what it looks most like."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from seewhy.core.values import Array
from seewhy.surrogates.lesson import Lesson
from seewhy.surrogates.surrogate import Surrogate

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)
"""Prototypes of each class that models are handed out at."""
CANDIDATES = 2000
"""Pictures that may become prototypes, of all classes; of more, so many are drawn, as many of each class."""
LEAST_CANDIDATES = 20
EVEN = 1e-4
"""Of cosine, within which candidates are as good as each other, and the one of which the teacher is surer is taken."""
PICTURES = 1500
"""That candidates are tried on; of more, so many are drawn."""
SHARPNESS = 10.0
"""Of the logistic function of a gap between cosines: at 0.1 a picture is rather sure of its class."""
SHOWN = 3
"""Numbers that the text names for a prototype: those that stand out most in it."""


@dataclass(frozen=True)
class Nearest:
    """A prototype that a picture looks like.

    Attributes:
        prototype: its number.
        picture: the number of its picture among all of the data set that the student was made from.
        class_: its class, as a place among those that were learned.
        similarity: cosine, -1 to 1.
        shares: what each number that is read gives to the similarity; they add up to it (m,).
    """

    prototype: int
    picture: int
    class_: int
    similarity: float
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Prototypes(Surrogate):
    """score_j = the largest cosine between what is read of the picture and of a prototype of class j, all in deviations from the mean.

    Prototypes of a class are pictures that the teacher gives to it. The first one is the picture that all of its class are most like; then each class
    in turn takes the one after which pictures are surest of their class: the sum over them of log sigmoid(10 gap), the gap being the cosine with
    the nearest prototype of their own class minus that of the nearest other one.

    Attributes:
        points: deviations of each prototype, of length 1 (p, m).
        owners: the class of each, as a place among those that were learned (p,).
        pictures: the number of each one's picture among all of the data set that the student was made from (p,).
        mean, scale: of what is read (m,).
        classes: how many were learned.

    Source: Bien and Tibshirani 2011, arXiv 1202.5933 (nearest prototypes that are real examples, chosen greedily to cover their class and to keep off
        others). Differs in: the gap of cosines stands in the place of balls of one radius, so that no radius is set.
    Limits: likeness is that of the network's numbers, not of the pixels; what people see alike may be something else.
    """

    points: Float[Tensor, "p m"]
    owners: Int[Tensor, " p"]
    pictures: Int[Tensor, " p"]
    mean: Float[Tensor, " m"]
    scale: Float[Tensor, " m"]
    classes: int

    key: ClassVar = "prototypes"
    title: ClassVar = "prototypes"
    unit: ClassVar = "prototypes per class"

    @classmethod
    def path(cls, lesson: Lesson, seed: int = 0) -> Iterator["Prototypes"]:
        """Yield models of 1, 2, 3 … prototypes of each class, as far as it has pictures."""
        mean, scale = lesson.x.mean(dim=0), lesson.x.std(dim=0, correction=0)
        scale = torch.where(lesson.varying, scale, torch.inf)  # what never moves is read as 0
        units = unit_rows((lesson.x - mean) / scale)
        owners = torch.searchsorted(torch.tensor(lesson.classes), lesson.taught)
        orders = _Choice(units, owners, len(lesson.classes), lesson.targets.amax(dim=1), seed).run(max(SIZES))
        largest = max(len(order) for order in orders)
        for size in [*(size for size in SIZES if size < largest), min(largest, max(SIZES))]:
            rows = torch.cat([order[:size] for order in orders])
            yield cls(units[rows], owners[rows], lesson.pictures[rows], mean, scale, len(orders))

    @property
    def size(self) -> float:
        """Mean number of prototypes of a class."""
        return len(self.points) / self.classes

    @property
    def sizes(self) -> Mapping[str, float]:
        """Prototypes per class, and in all."""
        return {self.unit: self.size, "prototypes": len(self.points)}

    @property
    def examples(self) -> tuple[int, ...]:
        """Numbers of the pictures."""
        return tuple(self.pictures.tolist())

    def units(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """Return what is read as deviations from the mean, each row of length 1."""
        return unit_rows((x - self.mean) / self.scale)

    def similarities(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n p"]:
        """Return the cosine of each picture with each prototype."""
        return self.units(x) @ self.points.T

    def scores(self, x: Float[Tensor, "n m"]) -> Float[Tensor, "n j"]:
        """Return the largest similarity for each class."""
        alike = self.similarities(x)
        best = alike.new_full((len(x), self.classes), -1.0)
        return best.scatter_reduce(1, self.owners.expand(len(x), -1), alike, "amax")

    def nearest(self, x: Float[Tensor, "n m"], count: int = 1) -> list[tuple[Nearest, ...]]:
        """Return the prototypes that each picture looks most like, the nearest first, and what makes them alike."""
        units, found = self.units(x), []
        alike = units @ self.points.T
        for row, order in zip(units, alike.argsort(dim=1, descending=True, stable=True)[:, :count], strict=True):
            found.append(tuple(self._nearest(row, number) for number in order.tolist()))
        return found

    def _nearest(self, unit: Float[Tensor, " m"], number: int) -> Nearest:
        shares = unit * self.points[number]
        picture, owner = int(self.pictures[number]), int(self.owners[number])
        return Nearest(number, picture, owner, float(shares.sum()), tuple(shares.tolist()))

    def plain(self) -> dict[str, Any]:
        """Return all arrays as lists; the scale of what never moves is null."""
        plain = {name: getattr(self, name).tolist() for name in ("owners", "pictures", "mean")}
        scale = [None if value == float("inf") else value for value in self.scale.tolist()]
        return {**plain, "points": Array.of(self.points).plain(), "scale": scale, "classes": self.classes}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Prototypes":
        """Read back what `plain` gave."""
        scale = [float("inf") if value is None else value for value in plain["scale"]]
        points = Array.from_plain(plain["points"]).tensor()
        mean = torch.tensor(plain["mean"], dtype=torch.float32)
        owners, pictures = (torch.tensor(plain[name], dtype=torch.long) for name in ("owners", "pictures"))
        made = cls(points, owners, pictures, mean, torch.tensor(scale, dtype=torch.float32), int(plain["classes"]))
        if points.dim() != 2 or points.shape != (len(owners), len(mean)) or len(mean) != len(made.scale):
            raise ValueError("points, owners, mean and scale do not fit each other")
        if not len(points) or len(owners) != len(pictures) or int(pictures.min()) < 0:
            raise ValueError("prototypes without pictures")
        if int(owners.min()) < 0 or int(owners.max()) >= made.classes or not bool(points.isfinite().all()):
            raise ValueError("a prototype of no class, or without a place")
        return made

    def text(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Return a line for each prototype: its class, its picture, and what stands out in it."""
        lines = []
        for point, owner, picture in zip(self.points, self.owners.tolist(), self.pictures.tolist(), strict=True):
            most = point.abs().argsort(descending=True)[:SHOWN].tolist()
            out = ", ".join(f"{'much' if point[index] > 0 else 'little'} {names[index]}" for index in most)
            lines.append(f"{classes[owner]}: picture {picture} ({out})")
        return "\n".join(lines)


def unit_rows(rows: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """Return each row at length 1; a row of zeros stays."""
    lengths: Tensor = rows.norm(dim=1, keepdim=True)
    return rows / lengths.clamp_min(1e-12)


class _Choice:
    """Prototypes of all classes, chosen one after the other.

    Args:
        units: rows of length 1 (n, m).
        owners: the class of each, as a place among those that are learned (n,).
        classes: how many are learned.
        sure: the probability that the teacher gives to that class: of candidates that do as well, the surest is taken (n,).
        seed: of the draw of candidates, and of the pictures that they are tried on, where there are many.
    """

    def __init__(
        self, units: Float[Tensor, "n m"], owners: Int[Tensor, " n"], classes: int, sure: Float[Tensor, " n"], seed: int
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        each = max(LEAST_CANDIDATES, CANDIDATES // classes)
        members = [(owners == place).nonzero()[:, 0] for place in range(classes)]
        self.candidates = [_drawn(rows, each, generator) for rows in members]
        tried = _drawn(torch.arange(len(units)), PICTURES, generator)
        self.own = owners[tried]
        self.alike = [units[rows] @ units[tried].T for rows in self.candidates]  # of each class (candidates, pictures)
        self.sure = [EVEN * sure[rows] for rows in self.candidates]
        self.central = [units[rows] @ units[rows].mean(dim=0) for rows in self.candidates]
        self.best = units.new_full((classes, len(tried)), -1.0)
        self.orders: list[list[int]] = [[] for _ in range(classes)]

    def run(self, most: int) -> list[Int[Tensor, " q"]]:
        """Return up to so many rows of each class, in the order in which they become prototypes."""
        for _ in range(most):
            for place, order in enumerate(self.orders):
                if len(order) == len(self.candidates[place]):
                    continue
                gains = self._worth(place) if order else self.central[place].clone()
                gains += self.sure[place]
                gains[order] = -torch.inf
                order.append(int(gains.argmax()))
                self.best[place] = torch.maximum(self.best[place], self.alike[place][order[-1]])
        return [
            rows[torch.tensor(order, dtype=torch.long)]
            for rows, order in zip(self.candidates, self.orders, strict=True)
        ]

    def _worth(self, place: int) -> Float[Tensor, " q"]:
        """Return how sure of their classes the pictures are with each candidate of a class."""
        mine, rows = self.own == place, torch.arange(len(self.own))
        others = self.best.clone()
        others[self.own, rows] = -torch.inf
        own, other = self.best[self.own, rows], others.amax(dim=0)
        found = self.alike[place]
        gap = torch.where(mine, torch.maximum(found, own) - other, own - torch.maximum(found, other))
        return logsigmoid(SHARPNESS * gap).sum(dim=1)


def _drawn(rows: Int[Tensor, " n"], most: int, generator: torch.Generator) -> Int[Tensor, " q"]:
    if len(rows) <= most:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:most].sort().values]
