"""A student: a readable model of a network, what it reads, and what it is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.data.features import Features
from seewhy.data.shelf import Fingerprint
from seewhy.errors import ModelError
from seewhy.surrogates.basis import Basis
from seewhy.surrogates.frontier import Frontier
from seewhy.surrogates.lesson import By
from seewhy.surrogates.measure import Report, predictions
from seewhy.surrogates.surrogate import Surrogate


@dataclass(frozen=True, eq=False)
class Student:
    """A readable model that stands in for a network.

    Attributes:
        surrogate: the model.
        basis: what it reads.
        classes: that it has learned, as indices of the network's answer.
        labels: names of all classes of the network.
        by: who taught it.
        report: what it is worth.
        frontier: fidelity against size, and the random control.
        fingerprint: pictures, network, preprocessing that it was made from.
        seconds: that fitting it took, all sizes, without the control.
        about: what else made it.
    """

    surrogate: Surrogate
    basis: Basis
    classes: tuple[int, ...]
    labels: tuple[str, ...]
    by: By
    report: Report
    frontier: Frontier
    fingerprint: Fingerprint
    seconds: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Of the model."""
        return self.surrogate.key

    @property
    def fidelity(self) -> float:
        """Share of the report's pictures on which it says what the network says."""
        return self.report.fidelity.value

    @property
    def accuracy(self) -> float | None:
        """Share of the report's pictures on which it is right; None where no label is known."""
        return None if self.report.accuracy is None else self.report.accuracy.value

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the classes that it has learned."""
        return tuple(self.labels[index] for index in self.classes)

    def scores(self, features: Features) -> Float[Tensor, "n j"]:
        """Return its scores for pictures whose features are known.

        Raises:
            ModelError: the features are those of another network, layer or preprocessing.
        """
        self.check(features)
        return self.surrogate.scores(self.basis.read(features))

    def predict(self, features: Features) -> Int[Tensor, " n"]:
        """Return the class that it gives to each picture, as an index of the network's answer."""
        return predictions(self.scores(features), self.classes)

    def check(self, features: Features) -> None:
        """Raise `ModelError` where features are not those of the network that this student was made for."""
        if features.fingerprint.network != self.fingerprint.network:
            raise ModelError(
                "the student was made for another network: its weights, or its structure, are not those of this one; distill this network anew"
            )
        if features.fingerprint.preprocessing != self.fingerprint.preprocessing:
            raise ModelError(
                "the student was made for the same network with other preprocessing; state it as it was then"
            )
        if features.layer != self.basis.layer:
            raise ModelError(
                f"the student reads layer {self.basis.layer!r}, and these are features of {features.layer!r}"
            )

    def text(self) -> str:
        """Return the model as people read it."""
        return self.surrogate.text(self.basis.names, self.learned)


def names_of(labels: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Return the names of all classes of a network; "class 3" where it has none."""
    known = tuple(labels or ())
    return known if len(known) == count else tuple(f"class {index}" for index in range(count))


def as_rows(places: Sequence[int] | Tensor) -> Int[Tensor, " n"]:
    """Return numbers of pictures as a tensor."""
    return torch.as_tensor(places, dtype=torch.long)
