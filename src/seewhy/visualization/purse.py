"""A budget that several pictures share."""

import time

from seewhy.core.budget import Allowance, Budget


class Purse:
    """A budget for several pictures: what one leaves over, the next ones may spend.

    Args:
        budget: steps, or a time that runs from now on; None is no limit.
        parts: into how many parts it is divided at first.
    """

    def __init__(self, budget: Budget, parts: int) -> None:
        allowance = Allowance.of(budget)
        self._seconds, self._steps, self._left = allowance.seconds, allowance.forwards, parts
        self._begun = time.monotonic()

    def share(self, parts: int = 1) -> Budget:
        """Return what the next picture may spend, which takes so many of the parts that are left."""
        share, self._left = parts / max(parts, self._left), self._left - parts
        if self._seconds is not None:
            rest = self._seconds - (time.monotonic() - self._begun)
            return f"{max(rest * share, 1e-3):.3f}s"
        return None if self._steps is None else max(1, int(self._steps * share))

    def pay(self, steps: int) -> None:
        """Note how many steps a picture took."""
        if self._steps is not None:
            self._steps = max(1, self._steps - steps)
