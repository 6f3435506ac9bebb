"""What is asked of the network: one number per image."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.sample import Sample
from seewhy.core.trace import Reading
from seewhy.errors import TargetError

Access = Literal["answers", "layers", "gradients"]
"""What a method asks of a network."""
Probability = Literal["softmax", "sigmoid", "given", "none"]
"""What makes probabilities of an answer (b, k): one class of several holds, each label stands for itself, they are probabilities
already, or the answer is none of classes."""


@dataclass(frozen=True, eq=False)
class BoundTarget:
    """A target with everything that depends on the data frozen, as seen on the unperturbed input.

    Attributes:
        score: reading of the same images, perturbed or not, to one number per image.
        names: what is asked, in words, one per image: "tiger cat".
        unit: unit of the score: "logit", "probability", ...
        classes: the index of the class in question per image, where the target is the score of one class; None for any other.
        gone: where what is asked about may vanish from a changed image, such as a box: says for each image whether it has. Counted, and told.
        probability: reading to the probability of what is asked, one per image; None where it has none.
        region: where a map of the answer is asked about a part of it: the weight of each of its cells, for each image.
    """

    score: Callable[[Reading], Float[Tensor, " b"]]
    names: tuple[str, ...]
    unit: str
    classes: tuple[int, ...] | None = None
    gone: Callable[[Reading], Bool[Tensor, " b"]] | None = None
    probability: Callable[[Reading], Float[Tensor, " b"]] | None = None
    region: Float[Tensor, "b *cells"] | None = None

    def each(self, times: int) -> "BoundTarget":
        """Return the same question of `times` batches of these images that lie one after the other."""
        if times == 1:
            return self
        images = len(self.names)
        return BoundTarget(
            lambda reading: torch.cat([self(part) for part in reading.split(images)]), self.names * times, self.unit
        )

    def __call__(self, reading: Reading) -> Float[Tensor, " b"]:
        """Return the score of each image; raise `TargetError` where the target gives anything else."""
        score = self.score(reading)
        if tuple(score.shape) != (len(self.names),):
            raise TargetError(
                f"a target must give one number per image: wanted shape ({len(self.names)},), got {tuple(score.shape)}; "
                "sum or index the other axes away"
            )
        return score


class Target(ABC):
    """What is asked, before it has seen an image. Subclasses are frozen dataclasses.

    `bind` looks once at the network's answer to the unperturbed input and freezes what depends on it: the class that
    was predicted, the runner-up, the position of a neuron. From then on the target never decides anew.
    Targets add, subtract and scale: `ClassScore("tabby") - ClassScore("tiger cat")`.
    """

    def needs(self) -> Needs:
        """Return the activations that the target reads; none unless it looks inside the network."""
        return Needs()

    def reads_answer(self) -> bool:
        """Say whether the target reads the network's answer; where it does not, what follows the layers that it reads need not run."""
        return True

    @abstractmethod
    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the target on a reading of the unperturbed images.

        Raises:
            TargetError: the network's answer is not of the kind that this target asks about.
        """

    def suited(self, access: Access, answer: object) -> "Target":
        """Return the form of the question that fits how a method asks; itself, unless a target says otherwise.

        Args:
            access: what the method asks of the network: only its "answers" to changed images, "layers" too, or "gradients".
            answer: how the model finds its answer in what the network returns: its `output`.
        """
        return self

    def placed(self, samples: Sequence[Sample], probability: Probability) -> "Target":
        """Return the target with what it says of the source pictures, such as a mask in their pixels, put on the network's input.

        Args:
            samples: the images that are asked about, in their order.
            probability: what makes probabilities of the network's answer.

        Raises:
            TargetError: it does not fit the pictures, or the network's answer is not of its kind.
        """
        return self

    def part(self, rows: slice, images: int) -> "Target":
        """Return the target of some rows of all the images; one that names a class for each image keeps those of the rows.

        Raises:
            TargetError: it does not name as many as there are images.
        """
        return self

    def __add__(self, other: "Target") -> "Target":
        return Combination((self, other), (1.0, 1.0))

    def __sub__(self, other: "Target") -> "Target":
        return Combination((self, other), (1.0, -1.0))

    def __mul__(self, factor: float) -> "Target":
        return Combination((self,), (float(factor),))

    __rmul__ = __mul__

    def __neg__(self) -> "Target":
        return self * -1.0


@dataclass(frozen=True, eq=False)
class Fixed(Target):
    """A question that is bound already, asked again of the same images."""

    bound: BoundTarget

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Return it as it is."""
        return self.bound


def in_probability(bound: BoundTarget) -> Fixed | None:
    """Return the same question in units of probability; None where it has none."""
    if bound.probability is None:
        return None
    return Fixed(BoundTarget(bound.probability, bound.names, "probability", bound.classes))


@dataclass(frozen=True)
class Combination(Target):
    """A weighted sum of targets; what `a + b`, `a - b` and `2 * a` make."""

    parts: tuple[Target, ...]
    weights: tuple[float, ...]

    def needs(self) -> Needs:
        """Return what the parts read, united."""
        united = Needs()
        for part in self.parts:
            united |= part.needs()
        return united

    def reads_answer(self) -> bool:
        """Say whether any part does."""
        return any(part.reads_answer() for part in self.parts)

    def suited(self, access: Access, answer: object) -> Target:
        """Return the combination of the parts in the form that fits."""
        parts = tuple(part.suited(access, answer) for part in self.parts)
        return self if parts == self.parts else replace(self, parts=parts)

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the combination of the parts, each placed."""
        return replace(self, parts=tuple(part.placed(samples, probability) for part in self.parts))

    def part(self, rows: slice, images: int) -> Target:
        """Return the combination of the parts of these rows."""
        return replace(self, parts=tuple(part.part(rows, images) for part in self.parts))

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Bind each part; the unit is kept where all parts share it."""
        bound = [part.bind(reading, labels) for part in self.parts]
        units = {part.unit for part in bound}

        def score(seen: Reading) -> Float[Tensor, " b"]:
            terms = [weight * part(seen) for weight, part in zip(self.weights, bound, strict=True)]
            return sum(terms[1:], terms[0])

        names = tuple(_spell(self.weights, row) for row in zip(*(part.names for part in bound), strict=True))
        return BoundTarget(score, names, units.pop() if len(units) == 1 else "mixed units")


def _spell(weights: Sequence[float], names: Sequence[str]) -> str:
    """Write a weighted sum of names: 'tabby - 2 * tiger cat'."""
    spelled = ""
    for weight, name in zip(weights, names, strict=True):
        size = "" if abs(weight) == 1 else f"{abs(weight):g} * "
        term = f"{size}({name})" if size and (" + " in name or " - " in name) else f"{size}{name}"
        spelled += (" - " if weight < 0 else " + ") + term if spelled else ("-" if weight < 0 else "") + term
    return spelled
