"""An axis with round numbers on it."""

from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True)
class Axis:
    """A stretch of the number line that begins and ends on a tick.

    Attributes:
        ticks: round numbers in even steps, at least two.
        labels: the same as text, all with as many digits as the step needs.
    """

    ticks: tuple[float, ...]
    labels: tuple[str, ...]

    def percent(self, value: float) -> float:
        """Return where a value lies between the ends, in percent; values outside are put on the end."""
        low, high = self.ticks[0], self.ticks[-1]
        return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)


def axis(values: list[float], *, from_zero: bool, most: int = 6) -> Axis:
    """Return an axis that holds all values, with steps of 1, 2 or 5 times a power of ten.

    Args:
        values: finite numbers, at least one.
        from_zero: the axis begins at zero, as it does for probabilities.
        most: how many ticks there may be, at least 3.
    """
    low, high = min(values), max(values)
    low = min(0.0, low) if from_zero else low
    high = high if high > low else low + (abs(low) or 1.0)
    power = 10.0 ** (floor(log10(high - low)) - 2)
    for step in (factor * power * 10**more for more in range(5) for factor in (1, 2, 5)):
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        if last - first < most:
            break
    digits = max(0, -floor(log10(step) + 1e-9))
    ticks = tuple(round(number * step, 12) for number in range(first, last + 1))
    return Axis(ticks, tuple(f"{tick + 0.0:.{digits}f}" for tick in ticks))
