"""What a network says of a photo beside what was asked: its likeliest classes, all labels that it found, the other prompts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import Target
from seewhy.core.trace import Reading
from seewhy.engine.model import Model
from seewhy.errors import TargetError
from seewhy.targets import ClassScore, Prompts
from seewhy.targets.classes import name_of, probabilities
from seewhy.targets.labels import FoundLabels


@dataclass(frozen=True)
class Alternative:
    """An answer that can be asked about: its name and probability, the target, the index of its class, and whether it is what was asked."""

    name: str
    probability: float
    target: Target
    index: int
    asked: bool


def alternatives(
    reading: Reading, target: Target, classes: tuple[int, ...] | None, model: Model, most: int
) -> tuple[Alternative, ...]:
    """Return what the network says of the first image, the most probable first; empty where its answer has no probabilities.

    Nothing is guessed: the model states what makes probabilities of its answer.

    Args:
        reading: the network's answer.
        target: what was asked.
        classes: the class that was asked about, where it is one.
        model: states what makes probabilities.
        most: how many, at most; of found labels all are returned.
    """
    if isinstance(target, Prompts):
        return _prompts(reading, target, most)
    answer = reading.output.detach()
    if (
        answer.dim() != 2
        or answer.shape[1] < (1 if model.probability == "sigmoid" else 2)
        or model.probability == "none"
    ):
        return ()
    shares = probabilities(answer[:1].float(), model.probability)[0].nan_to_num(nan=-1.0)
    ranked = [int(index) for index in shares.argsort(descending=True, stable=True)]
    if isinstance(target, FoundLabels):
        found, _ = target.found(answer[:1], model.labels)
        ranked = [index for index in ranked if index in found]
    else:
        ranked = [index for index in ranked if shares[index] >= 0][:most]
    link = model.probability
    return tuple(
        Alternative(
            name_of(index, model.labels),
            float(shares[index]),
            ClassScore(index, link=link),
            index,
            classes is not None and classes[0] == index,
        )
        for index in ranked
    )


def _prompts(reading: Reading, target: Prompts, most: int) -> tuple[Alternative, ...]:
    """Return the texts that the picture may fit, each with its share of all."""
    if len(target.names) < 2:
        return ()
    try:
        asked = target.bind(reading, None).names[0]
    except TargetError:
        return ()
    rows = []
    for number, name in enumerate(target.names):
        one = replace(target, index=number)
        chance = one.bind(reading, None).probability
        rows.append(Alternative(name, float(chance(reading)[0]) if chance else 0.0, one, number, name == asked))
    return tuple(sorted(rows, key=lambda row: -row.probability)[:most])


def left_out(answer: Float[Tensor, "b ..."], target: Target, labels: Sequence[str] | None) -> tuple[str, ...]:
    """Say which labels were left out of the found ones because the network has never learned them."""
    if not isinstance(target, FoundLabels):
        return ()
    _, unknown = target.found(answer[:1].detach(), labels)
    if not unknown:
        return ()
    names = ", ".join(name_of(index, labels) for index in unknown)
    return (f"left out, because the network has never learned {'it' if len(unknown) == 1 else 'them'}: {names}",)
