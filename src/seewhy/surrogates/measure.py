"""How nearly a readable model says what the network says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.contributions.estimate import estimates
from seewhy.contributions.table import Estimate
from seewhy.surrogates.lesson import Lesson


@dataclass(frozen=True)
class Report:
    """What a student is worth, on pictures that played no part in fitting it or in choosing its size.

    Attributes:
        pictures: how many.
        fidelity: share of pictures on which it says what the network says, with its 95 % interval over pictures.
        accuracy: share on which it is right; None where no label is known.
        network: the network's own accuracy on the same pictures.
        r2: share of the variance of the network's logits, each picture's mean over the classes taken away, that the student's scores explain
            times one factor; below 0 it does worse than none.
        errors: on how many pictures the network is wrong.
        on_errors: share of these on which the student makes the same error: one that is right there is no explanation of the network.
        recall: by class, the share of the pictures that the network gives to it on which the student does as well.
        unlearned: share of the pictures whose class, as the network sees it, the student has not learned; there it cannot agree.
    """

    pictures: int
    fidelity: Estimate
    accuracy: Estimate | None
    network: Estimate | None
    r2: float
    errors: int
    on_errors: Estimate | None
    recall: Mapping[str, float] = field(default_factory=dict)
    unlearned: float = 0.0


def predictions(scores: Float[Tensor, "n j"], classes: Sequence[int]) -> Int[Tensor, " n"]:
    """Return the class of the largest score, as an index of the network's answer."""
    return torch.tensor(classes)[scores.argmax(dim=1)]


def fidelity(scores: Float[Tensor, "n j"], lesson: Lesson) -> float:
    """Return the share of pictures on which the student says what its network says."""
    return float((predictions(scores, lesson.classes) == lesson.predicted).float().mean())


def report(scores: Float[Tensor, "n j"], lesson: Lesson, names: Sequence[str], seed: int = 0) -> Report:
    """Return what scores are worth.

    Args:
        scores: of the student, for the classes of the lesson.
        lesson: pictures that it has not seen.
        names: of all classes of the network.
        seed: of the intervals.
    """
    said, network, labels = predictions(scores, lesson.classes), lesson.predicted, lesson.labels
    same, known = said == network, labels >= 0
    wrong = known & (network != labels)
    columns = torch.stack(
        [
            same.double(),
            _where(said == labels, known),
            _where(network == labels, known),
            _where(same, wrong),
        ],
        dim=1,
    )
    agree, right, own, errors = estimates(columns, seed)
    return Report(
        pictures=len(said),
        fidelity=agree,
        accuracy=right if known.any() else None,
        network=own if known.any() else None,
        r2=explained(scores, lesson.outputs[:, list(lesson.classes)]),
        errors=int(wrong.sum()),
        on_errors=errors if wrong.any() else None,
        recall={names[c]: float(same[network == c].double().mean()) for c in torch.unique(network).tolist()},
        unlearned=float((~torch.isin(network, torch.tensor(lesson.classes))).double().mean()),
    )


def explained(scores: Float[Tensor, "n j"], outputs: Float[Tensor, "n j"]) -> float:
    """Return the share of the variance of outputs that scores explain times one factor, each row's mean taken away; NaN where outputs never differ."""
    given, wanted = (values.double() - values.double().mean(dim=1, keepdim=True) for values in (scores, outputs))
    given, wanted = given - given.mean(dim=0), wanted - wanted.mean(dim=0)
    total, own = wanted.square().sum(), given.square().sum()
    if total == 0:
        return float("nan")
    factor = (given * wanted).sum() / own if own > 0 else own
    return float(1 - (wanted - factor * given).square().sum() / total)


def _where(said: Tensor, asked: Tensor) -> Float[Tensor, " n"]:
    return torch.where(asked, said.double(), torch.nan)
