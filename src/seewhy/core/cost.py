"""What an answer cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Passes through the network per image: the measure that does not depend on the machine.

    A backward that stops at a late layer counts as one backward, although it costs far less than a whole one.
    """

    forwards: int = 0
    backwards: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.forwards + other.forwards, self.backwards + other.backwards)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.forwards - other.forwards, self.backwards - other.backwards)

    def __str__(self) -> str:
        parts = [_count(self.forwards, "forward")] + ([_count(self.backwards, "backward")] if self.backwards else [])
        return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
