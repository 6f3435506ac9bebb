"""Fidelity against size: what each more of reading buys, and what random directions would give for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from seewhy.contributions.table import Estimate
from seewhy.errors import ConfigError
from seewhy.surrogates.surrogate import Surrogate

POINTS = 2.0
"""Percentage points of fidelity that may be given up for a smaller model."""


@dataclass(frozen=True)
class Point:
    """A model of one size.

    Attributes:
        size: how much there is to read.
        choose: its fidelity on the pictures on which the size is chosen.
        fidelity: the same on the pictures of the report.
        accuracy: on the pictures of the report; None where no label is known.
        control: fidelity on the pictures of the report of models of this size over random directions, the mean over several draws.
        gap: fidelity minus control, with its 95 % interval over pictures.
    """

    size: float
    choose: float
    fidelity: float
    accuracy: float | None
    control: float
    gap: Estimate


@dataclass(frozen=True)
class Frontier:
    """Models of one kind and growing size.

    Attributes:
        unit: what size counts.
        points: the smallest first.
        chosen: number of the point that is taken.
        area: the mean gap to the random control over the sizes, with its 95 % interval: above zero the concepts are worth something.
        draws: of random directions.
    """

    unit: str
    points: tuple[Point, ...]
    chosen: int
    area: Estimate
    draws: int


def smallest_within(fidelities: Sequence[float], points: float = POINTS) -> int:
    """Return the number of the first model, in order of size, whose fidelity is within so many percentage points of the best.

    Raises:
        ConfigError: a negative number of points.
    """
    if points < 0:
        raise ConfigError(f"points of fidelity to give up are at least 0, got {points}")
    enough = max(fidelities) - points / 100 - 1e-9
    return next(number for number, value in enumerate(fidelities) if value >= enough)


def at_size(models: Sequence[Surrogate], size: float) -> Surrogate:
    """Return the largest model of at most this size; the smallest where all are larger."""
    fitting = [model for model in models if model.size <= size + 1e-9]
    return fitting[-1] if fitting else models[0]
