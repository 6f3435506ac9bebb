"""Targets of a classifier: one class, a margin, a contrast."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.core.target import BoundTarget, Probability, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError, nearest
from seewhy.targets.fitting import fitting, shape_words

Unit = Literal["logit", "probability", "log-probability"]
Which = int | str | tuple[int | str, ...] | None


@dataclass(frozen=True)
class ClassScore(Target):
    """Score of one class: the predicted one, or one that is named.

    Args:
        index: index or name of the class; a tuple for one per image; None for the class that the network predicts.
        unit: "logit" (default: gradients do not saturate, and other classes play no part), "probability" or "log-probability".
        link: what makes probabilities of the network's answer: "softmax", "sigmoid" or "given"; set by the session, from the model.
    """

    index: Which = None
    unit: Unit = "logit"
    link: Probability = "softmax"

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise TargetError(f"the unit of a class score is one of {', '.join(get_args(Unit))}, got {self.unit!r}")

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the target knowing what makes probabilities of the answer."""
        return replace(self, link=probability)

    def part(self, rows: slice, images: int) -> Target:
        """Return the target with the classes of these rows."""
        return replace(self, index=part_of(self.index, rows, images))

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the class of each image."""
        logits = class_logits(reading)
        if self.link == "none":
            raise TargetError(
                f"a class is asked for, and the model says that its answer of shape {shape_words(logits.shape)} is none of classes; {fitting(logits.shape)}"
            )
        classes = logits.argmax(dim=1) if self.index is None else resolve(self.index, logits, labels)
        return bound_class(classes, labels, self.unit, self.link)


@dataclass(frozen=True)
class Rank(Target):
    """Score of the class at one rank of the prediction: 0 is the predicted class, 1 the runner-up."""

    rank: int = 0
    unit: Unit = "logit"
    link: Probability = "softmax"

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the target knowing what makes probabilities of the answer."""
        return replace(self, link=probability)

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the class at this rank for each image."""
        logits = class_logits(reading)
        if not 0 <= self.rank < logits.shape[1]:
            raise TargetError(f"there is no rank {self.rank} among {logits.shape[1]} classes; ranks count from 0")
        ranked = logits.argsort(dim=1, descending=True, stable=True)[:, self.rank]
        return bound_class(ranked, labels, self.unit, self.link)


def top(count: int, unit: Unit = "logit") -> tuple[Rank, ...]:
    """Return targets for the `count` most likely classes; explained together they share one forward pass."""
    if count < 1:
        raise TargetError(f"the number of top classes must be at least 1, got {count}")
    return tuple(Rank(rank, unit) for rank in range(count))


@dataclass(frozen=True)
class Margin(Target):
    """Logit of a class minus that of the strongest other class: what makes the network decide this way.

    Args:
        index: the class, as in `ClassScore`. The other class is the strongest one on the unperturbed image, and stays so.
    """

    index: Which = None

    def part(self, rows: slice, images: int) -> Target:
        """Return the target with the classes of these rows."""
        return replace(self, index=part_of(self.index, rows, images))

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the class and its rival for each image."""
        logits = class_logits(reading)
        classes = logits.argmax(dim=1) if self.index is None else resolve(self.index, logits, labels)
        rivals = logits.detach().scatter(1, classes[:, None], float("-inf")).argmax(dim=1)
        return bound_difference(classes, rivals, labels, "{} over {}")


@dataclass(frozen=True)
class Contrast(Target):
    """Logit of class a minus logit of class b: why a and not b.

    Args:
        a, b: index or name of a class, or a tuple with one per image.
    """

    a: Which
    b: Which

    def part(self, rows: slice, images: int) -> Target:
        """Return the target with the classes of these rows."""
        return replace(self, a=part_of(self.a, rows, images), b=part_of(self.b, rows, images))

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze both classes for each image."""
        logits = class_logits(reading)
        first, second = (logits.argmax(dim=1) if w is None else resolve(w, logits, labels) for w in (self.a, self.b))
        if (first == second).any():
            raise TargetError(
                f"a contrast needs two different classes, got {name_of(int(first[(first == second)][0]), labels)!r} twice"
            )
        return bound_difference(first, second, labels, "{} rather than {}")


def class_logits(reading: Reading) -> Float[Tensor, "b k"]:
    """Return the output of a classifier; raise `TargetError` where the network is something else."""
    output = reading.output
    if output.dim() != 2:
        raise TargetError(
            f"a class is asked for, but the network's answer has shape {shape_words(output.shape)}, not (images, classes); {fitting(output.shape)}"
        )
    if output.shape[1] < 2:
        raise TargetError(
            "the network gives a single number, so there are no classes; use seewhy.targets.Regression() or Label(0)"
        )
    if not torch.isfinite(output).all():
        raise TargetError("the network's answer holds NaN or infinity; check its weights, the input and the precision")
    return output


def part_of(which: Which, rows: slice, images: int) -> Which:
    """Return the classes of some rows of all the images, where one is named for each; raise `TargetError` where too few are, or too many."""
    if not isinstance(which, tuple):
        return which
    if len(which) != images:
        raise TargetError(f"{len(which)} classes for {images} images; give one class, or one for each image")
    return which[rows]


def resolve(which: Which, logits: Float[Tensor, "b k"], labels: Sequence[str] | None) -> Int[Tensor, " b"]:
    """Return the index of the class per image; raise `TargetError` where there is no such class."""
    each = which if isinstance(which, tuple) else (which,) * len(logits)
    if len(each) != len(logits):
        raise TargetError(f"{len(each)} classes for {len(logits)} images; give one class, or one for each image")
    return torch.tensor([find_class(item, logits.shape[1], labels) for item in each], device=logits.device)


def find_class(which: int | str | None, count: int, labels: Sequence[str] | None) -> int:
    """Return the index of a class given by index or name; names ignore case, underscores and hyphens."""
    if isinstance(which, str) and which.lstrip("-").isdigit():
        which = int(which)
    if isinstance(which, int) and not isinstance(which, bool):
        if not 0 <= which < count:
            raise TargetError(f"there is no class {which}; the network has {count}, from 0 to {count - 1}")
        return which
    if not isinstance(which, str):
        raise TargetError(f"a class is an index or a name, got {type(which).__name__}")
    if labels is None:
        raise TargetError(
            f"class {which!r} is given by name, but the model has no labels; state them in seewhy.Model(labels=...), or use an index"
        )
    plain = [_plain(label) for label in labels]
    if _plain(which) not in plain:
        near = nearest(which, list(labels))
        raise TargetError(f"no class {which!r} among {len(labels)} labels" + (f"; nearest: {near}" if near else ""))
    found = [index for index, label in enumerate(plain) if label == _plain(which)]
    if len(found) > 1:
        raise TargetError(f"{which!r} names {len(found)} classes; say which by index: {', '.join(map(str, found))}")
    return found[0]


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ").strip()


def name_of(index: int, labels: Sequence[str] | None) -> str:
    """Return the name of a class for people."""
    return labels[index] if labels is not None and index < len(labels) else f"class {index}"


def bound_class(
    classes: Int[Tensor, " b"], labels: Sequence[str] | None, unit: Unit, link: Probability = "softmax"
) -> BoundTarget:
    """Return the score of one fixed class per image, in a unit; `link` makes probabilities of the answer."""

    def probability(reading: Reading) -> Float[Tensor, " b"]:
        return probabilities(reading.output, link).gather(1, classes[:, None])[:, 0]

    def score(reading: Reading) -> Float[Tensor, " b"]:
        if unit == "probability":
            return probability(reading)
        if unit == "logit":
            return reading.output.gather(1, classes[:, None])[:, 0]
        return _log_probabilities(reading.output, link).gather(1, classes[:, None])[:, 0]

    indices = tuple(int(index) for index in classes)
    names = tuple(name_of(index, labels) for index in indices)
    shown = "probability" if link == "given" and unit == "logit" else unit
    return BoundTarget(score, names, shown, indices, probability=probability)


def probabilities(answer: Float[Tensor, "b k"], link: Probability) -> Float[Tensor, "b k"]:
    """Return the probability of each class or label; raise `TargetError` where the answer is none of classes."""
    if link == "none":
        raise TargetError("the answer is none of classes, so it has no probabilities")
    if link == "sigmoid":
        return answer.sigmoid()
    return answer if link == "given" else answer.softmax(dim=1)


def _log_probabilities(answer: Float[Tensor, "b k"], link: Probability) -> Float[Tensor, "b k"]:
    if link == "sigmoid":
        return torch.nn.functional.logsigmoid(answer)
    return answer.log() if link == "given" else answer.log_softmax(dim=1)


def bound_difference(
    first: Int[Tensor, " b"], second: Int[Tensor, " b"], labels: Sequence[str] | None, words: str
) -> BoundTarget:
    """Return the difference of two fixed logits per image."""

    def score(reading: Reading) -> Float[Tensor, " b"]:
        return (reading.output.gather(1, first[:, None]) - reading.output.gather(1, second[:, None]))[:, 0]

    names = tuple(
        words.format(name_of(int(a), labels), name_of(int(b), labels)) for a, b in zip(first, second, strict=True)
    )
    return BoundTarget(score, names, "logit")
