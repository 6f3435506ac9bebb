"""Targets of networks whose outputs stand each for itself: several labels at once, or plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import Access, BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import find_class, name_of
from seewhy.targets.fitting import fitting, shape_words


@dataclass(frozen=True)
class Label(Target):
    """One label of a multi-label network: its logit before the sigmoid, or its probability after.

    Args:
        index: index or name of the label; None for the likeliest one, found on the unperturbed image.
        unit: "logit" or "probability" (the sigmoid of the output).
    """

    index: int | str | None
    unit: Literal["logit", "probability"] = "logit"

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the label."""
        known = _columns(reading)
        if self.index is None:
            columns = known.detach().nan_to_num(nan=-torch.inf).argmax(dim=1)
        else:
            columns = known.new_full((len(known),), find_class(self.index, known.shape[1], labels)).long()
        if torch.isnan(known.detach().gather(1, columns[:, None])).any():
            raise TargetError(
                f"the network puts out NaN for {name_of(int(columns[0]), labels)}: it has never learned this label"
            )

        def logit(seen: Reading) -> Float[Tensor, " b"]:
            return _columns(seen).gather(1, columns[:, None])[:, 0]

        def probability(seen: Reading) -> Float[Tensor, " b"]:
            return logit(seen).sigmoid()

        names = tuple(name_of(int(column), labels) for column in columns)
        score = probability if self.unit == "probability" else logit
        return BoundTarget(score, names, self.unit, probability=probability)


@dataclass(frozen=True)
class Regression(Target):
    """A number that the network puts out: what drives it up, or with `sign=-1` what drives it down.

    Args:
        index: which output, by index or name.
        sign: 1 or -1.
        unit: unit of the number, for people: "°", "years".
        reference: is subtracted from the number before the sign is put to it: straight ahead for a steering angle, a mean age. Maps do not
            change by it, but the score is then how far the number lies above or below.
    """

    index: int | str = 0
    sign: int = 1
    unit: str = "output"
    reference: float = 0.0

    def __post_init__(self) -> None:
        if self.sign not in (1, -1):
            raise TargetError(f"sign is 1 (what drives the number up) or -1 (down), got {self.sign}")

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the output."""
        column = find_class(self.index, _columns(reading).shape[1], labels)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return self.sign * (_columns(seen)[:, column] - self.reference)

        name = labels[column] if labels is not None else f"output {column}"
        over = f" over {self.reference:g}" if self.reference else ""
        return BoundTarget(
            score, (f"{name if self.sign > 0 else f'less of {name}'}{over}",) * len(reading.output), self.unit
        )


@dataclass(frozen=True)
class Expectation(Target):
    """Expected value of classes that stand for an ordered quantity, such as grades or years: sum_k p_k v_k, p the softmax of the answer.

    Args:
        values: v_k, the value of each class; its index if None.
        sign: 1 for what drives it up, -1 down.
        unit: of the values, for people.
    """

    values: tuple[float, ...] | None = None
    sign: int = 1
    unit: str = "class index"

    def __post_init__(self) -> None:
        if self.sign not in (1, -1):
            raise TargetError(f"sign is 1 (what drives the value up) or -1 (down), got {self.sign}")
        if self.values is not None:
            object.__setattr__(self, "values", tuple(float(value) for value in self.values))

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Check that there is a value for each class."""
        output = _columns(reading)
        count = output.shape[1]
        if count < 2:
            raise TargetError("an expectation is one over classes, and the network gives a single number; ask more:0")
        if self.values is not None and len(self.values) != count:
            raise TargetError(f"{len(self.values)} values for {count} classes")
        values = torch.tensor(self.values or range(count)).to(output)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return self.sign * (_columns(seen).softmax(dim=1) @ values)

        name = "expected value" if self.sign > 0 else "less of the expected value"
        return BoundTarget(score, (name,) * len(output), self.unit)


@dataclass(frozen=True)
class Near(Target):
    """Why a number is what it is: log N(f; v, s), the logarithm of a Gaussian density around a value v, up to a constant: -((f - v) / s)^2 / 2.

    It is for methods that change the image: hiding what holds the number at v lowers it, in whichever direction the number then moves.
    At v itself its gradient is zero, so methods that ask for gradients are refused there.

    Args:
        deviation: s, in the unit of the number: how far off is far.
        value: v; what the network says of the unperturbed image if None.
        index: which output, by index or name.
        by_gradient: whether the method asks for gradients; set by the session.
    """

    deviation: float
    value: float | None = None
    index: int | str = 0
    by_gradient: bool = False

    def __post_init__(self) -> None:
        if not self.deviation > 0:
            raise TargetError(f"the deviation is above 0, in the unit of the number; got {self.deviation}")

    def suited(self, access: Access, answer: object) -> Target:
        """Return the target knowing whether gradients are asked for."""
        return replace(self, by_gradient=access == "gradients")

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the value; raise `TargetError` where a gradient is asked for at the value itself."""
        output = _columns(reading)
        column = find_class(self.index, output.shape[1], labels)
        now = output[:, column].detach()
        value = now.clone() if self.value is None else torch.full_like(now, self.value)
        if self.by_gradient and bool(((now - value).abs() < 1e-3 * self.deviation).any()):
            raise TargetError(
                "why a number is what it is has no gradient there: it is at its largest. Ask what drives it up or down (more:0, less:0), "
                "or take a method that changes the image, such as rise"
            )

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return -0.5 * ((_columns(seen)[:, column] - value) / self.deviation).square()

        name = labels[column] if labels is not None else f"output {column}"
        return BoundTarget(score, tuple(f"{name} near {float(v):.4g}" for v in value), "log density")


def _columns(reading: Reading) -> Float[Tensor, "b k"]:
    """Return the output as columns; a single number per image is one column."""
    output = reading.output
    if output.dim() not in (1, 2):
        raise TargetError(
            f"a number or a label is asked for, and the network's answer has shape {shape_words(output.shape)}; {fitting(output.shape)}"
        )
    return output if output.dim() == 2 else output[:, None]
