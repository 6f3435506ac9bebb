"""How much a method may spend: forwards, or seconds."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from seewhy.errors import ConfigError

V = TypeVar("V")
Budget = int | str | None
"""A number of forwards (500), seconds ("30s") or minutes ("2m"); None is no limit."""

_UNITS = {"s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Allowance:
    """A budget, read.

    Attributes:
        forwards: variants of an image that may be scored; None is no limit.
        seconds: how long new variants may be begun; None is no limit.
    """

    forwards: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, budget: Budget) -> "Allowance":
        """Read a budget; raise `ConfigError` where it is none."""
        if budget is None:
            return cls()
        if isinstance(budget, int) and not isinstance(budget, bool) and budget > 0:
            return cls(forwards=budget)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([sm])", budget.strip()) if isinstance(budget, str) else None
        if found is None or float(found[1]) <= 0:
            raise ConfigError(
                f"a budget is a number of forwards such as 500, or a time such as '30s' or '2m'; got {budget!r}"
            )
        return cls(seconds=float(found[1]) * _UNITS[found[2]])

    def spend(self, variants: Iterable[V], least: int = 1) -> Iterator[V]:
        """Hand variants on until the budget is spent; `least` of them whatever the clock says.

        The first is always handed on, so that there is a map; the clock starts when it is asked for.
        """
        begun = time.monotonic()
        for count, variant in enumerate(variants):
            if self.forwards is not None and count >= max(1, self.forwards):
                return
            if self.seconds is not None and count >= least and time.monotonic() - begun >= self.seconds:
                return
            yield variant
