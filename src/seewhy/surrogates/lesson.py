"""What a student learns from: what it reads of each picture, and what its teacher says."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.data.features import Features
from seewhy.errors import ConfigError, DataError

By = Literal["network", "labels"]
"""Who teaches."""
LEAST = 3
"""Pictures of a class that a student must have seen to learn it."""
ROUNDING = 1e-6
"""Of the largest value, from which on a spread is more than rounding."""
SHARES = (0.5, 0.2, 0.3)
"""Of the pictures: to fit concepts and students, to choose their size, to report."""


@dataclass(frozen=True)
class Splits:
    """Three parts of the pictures without a common one: nothing is reported on what was fitted or chosen on.

    Attributes:
        fit: numbers of the pictures that concepts and students are fitted on.
        choose: of those on which the size is chosen.
        report: of those on which everything is measured.
    """

    fit: Int[Tensor, " f"]
    choose: Int[Tensor, " v"]
    report: Int[Tensor, " t"]

    @classmethod
    def drawn(cls, classes: Int[Tensor, " n"], seed: int) -> "Splits":
        """Draw the parts, each with its share of every class.

        Raises:
            DataError: no class has enough pictures for all three.
        """
        generator = torch.Generator().manual_seed(seed)
        parts: tuple[list[Tensor], ...] = ([], [], [])
        for which in torch.unique(classes):
            mine = (classes == which).nonzero()[:, 0]
            mine = mine[torch.randperm(len(mine), generator=generator)]
            first, second = round(SHARES[0] * len(mine)), round((SHARES[0] + SHARES[1]) * len(mine))
            for part, rows in zip(parts, (mine[:first], mine[first:second], mine[second:]), strict=True):
                part.append(rows)
        made = cls(*(torch.cat(part).sort().values for part in parts))
        learnable = int((torch.bincount(classes[made.fit]) >= LEAST).sum()) if len(made.fit) else 0
        if learnable < 2 or not len(made.choose):
            raise DataError(
                f"{_counted(len(classes), 'picture', 'pictures')} of {_counted(len(torch.unique(classes)), 'class', 'classes')}, as the teacher sees them: "
                f"{_too_few(learnable)}; a student is fitted on a half of the pictures, "
                f"and learns a class from at least {LEAST}, so give {2 * LEAST} or more of each of at least two classes"
            )
        return made


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _too_few(learnable: int) -> str:
    return "there is one class only to learn" if learnable == 1 else "too few of each class to learn any"


def taught_classes(features: Features, by: By) -> Int[Tensor, " n"]:
    """Return the class that the teacher gives to each picture.

    Raises:
        ConfigError: the labels teach, and some are not known.
    """
    if by == "network":
        return features.predicted
    unknown = int((features.labels < 0).sum())
    if unknown:
        raise ConfigError(
            f"the labels are to teach, and {unknown} of {len(features)} pictures have none; put each class into a folder of its name"
        )
    return features.labels


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a student reads, and what it is told.

    Attributes:
        x: what it reads of each picture (n, m).
        outputs: what the network answers (n, K), for all of its classes.
        labels: the truth, -1 where it is not known.
        classes: those that can be learned, as indices of the network's answer.
        by: who teaches.
        places: numbers of its pictures among all of the data set; None where these are all, in their order.
    """

    x: Float[Tensor, "n m"]
    outputs: Float[Tensor, "n K"]
    labels: Int[Tensor, " n"]
    classes: tuple[int, ...]
    by: By = "network"
    places: Int[Tensor, " n"] | None = None

    @classmethod
    def of(cls, x: Float[Tensor, "n m"], features: Features, fit: Int[Tensor, " f"], by: By = "network") -> "Lesson":
        """Return the lesson of all pictures; which classes can be learned is decided on those to fit on.

        Raises:
            ConfigError: the labels teach, and some are not known.
        """
        taught = taught_classes(features, by)
        counts = torch.bincount(taught[fit], minlength=features.outputs.shape[1])
        classes = tuple((counts >= LEAST).nonzero()[:, 0].tolist())
        return cls(x, features.outputs, features.labels, classes, by)

    @property
    def predicted(self) -> Int[Tensor, " n"]:
        """The network's class."""
        return self.outputs.argmax(dim=1)

    @property
    def taught(self) -> Int[Tensor, " n"]:
        """The class that the teacher says, as an index of the network's answer."""
        return self.labels if self.by == "labels" else self.predicted

    @property
    def targets(self) -> Float[Tensor, "n j"]:
        """What the teacher says as probabilities of the classes that can be learned; rows of another class are those of the likeliest among them."""
        known = list(self.classes)
        if self.by == "labels":
            return (self.labels[:, None] == torch.tensor(known)).float()
        return self.outputs[:, known].softmax(dim=1)

    @property
    def pictures(self) -> Int[Tensor, " n"]:
        """Numbers of its pictures among all of the data set."""
        return torch.arange(len(self.x)) if self.places is None else self.places

    @property
    def varying(self) -> Bool[Tensor, " m"]:
        """Which numbers differ between pictures by more than rounding; the others say nothing."""
        spread = self.x.std(dim=0, correction=0)
        return spread > ROUNDING * self.x.abs().amax(dim=0).clamp_min(1e-12)

    def part(self, rows: Int[Tensor, " m"]) -> "Lesson":
        """Return some pictures."""
        return Lesson(self.x[rows], self.outputs[rows], self.labels[rows], self.classes, self.by, self.pictures[rows])

    def learnable(self) -> "Lesson":
        """Return the pictures whose class can be learned."""
        return self.part(torch.isin(self.taught, torch.tensor(self.classes)).nonzero()[:, 0])
