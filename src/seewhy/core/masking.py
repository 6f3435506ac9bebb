"""What methods have in common that show an image through many random masks."""

from dataclasses import dataclass

from seewhy.core.budget import Allowance
from seewhy.core.cost import Cost
from seewhy.core.perturbing import PerturbationMethod
from seewhy.core.values import as_value
from seewhy.errors import ConfigError

LEAST = 4
"""Masks without which nothing is told from chance: two halves cannot be compared."""


@dataclass(frozen=True)
class RandomMaskMethod(PerturbationMethod):
    """A method over random masks of coarse cells.

    Args:
        samples: masks, at least `LEAST`.
        cells: along each axis, one number or one for each.
        keep: the share of cells that show the image.
    """

    samples: int = 500
    cells: int | tuple[int, ...] = 7
    keep: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cells", as_value(self.cells))
        fewest = min((self.cells,) if isinstance(self.cells, int) else self.cells)
        if self.samples < LEAST or fewest < 1 or not 0 < self.keep < 1:
            raise ConfigError(
                f"{self.key} wants at least {LEAST} samples, at least 1 cell and keep between 0 and 1, "
                f"got {self.samples}, {self.cells!r} and {self.keep}"
            )
        if (Allowance.of(self.budget).forwards or LEAST) < LEAST:
            raise ConfigError(f"{self.key} wants a budget of at least {LEAST} forwards, got {self.budget}")

    def cost(self) -> Cost | None:
        """Return the image and each mask; None where the budget is a time."""
        allowance = Allowance.of(self.budget)
        if allowance.seconds is not None:
            return None
        return Cost(1 + min(self.samples, allowance.forwards or self.samples))

    def remarks(self, made: int) -> tuple[str, ...]:
        """Say where a budget ended the masks."""
        return (
            ()
            if made == self.samples
            else (f"the budget of {self.budget} was spent after {made} of {self.samples} masks",)
        )
