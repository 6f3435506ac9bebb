"""Targets of networks whose outputs stand each for itself: several labels at once, or plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import find_class, name_of


@dataclass(frozen=True)
class Label(Target):
    """One label of a multi-label network: its logit before the sigmoid, or its probability after.

    Args:
        index: index or name of the label.
        unit: "logit" or "probability" (the sigmoid of the output).
    """

    index: int | str
    unit: Literal["logit", "probability"] = "logit"

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the label."""
        column = find_class(self.index, _columns(reading).shape[1], labels)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            logit = _columns(seen)[:, column]
            return logit.sigmoid() if self.unit == "probability" else logit

        rows = len(reading.output)
        return BoundTarget(score, (name_of(column, labels),) * rows, self.unit)


@dataclass(frozen=True)
class Regression(Target):
    """A number that the network puts out: what drives it up, or with `sign=-1` what drives it down.

    Args:
        index: which output, by index or name.
        sign: 1 or -1.
        unit: unit of the number, for people.
    """

    index: int | str = 0
    sign: int = 1
    unit: str = "output"

    def __post_init__(self) -> None:
        if self.sign not in (1, -1):
            raise TargetError(f"sign is 1 (what drives the number up) or -1 (down), got {self.sign}")

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the output."""
        column = find_class(self.index, _columns(reading).shape[1], labels)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return self.sign * _columns(seen)[:, column]

        name = labels[column] if labels is not None else f"output {column}"
        return BoundTarget(score, (name if self.sign > 0 else f"less of {name}",) * len(reading.output), self.unit)


def _columns(reading: Reading) -> Float[Tensor, "b k"]:
    """Return the output as columns; a single number per image is one column."""
    output = reading.output
    if output.dim() not in (1, 2):
        raise TargetError(
            f"the network's answer has shape {tuple(output.shape)}; use seewhy.targets.Custom(function) to make one number per image of it"
        )
    return output if output.dim() == 2 else output[:, None]
