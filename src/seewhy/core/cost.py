"""What an answer cost."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Cost:
    """Passes through the network per image: the measure that does not depend on the machine.

    A backward that stops at a late layer counts as one backward, although it costs far less than a whole one.

    Attributes:
        forwards: passes through the whole network.
        backwards: ways back.
        partial: passes that ran only the part of the network that a change touches: what follows a layer, or what sees a window.
    """

    forwards: int = 0
    backwards: int = 0
    partial: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.forwards + other.forwards, self.backwards + other.backwards, self.partial + other.partial)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.forwards - other.forwards, self.backwards - other.backwards, self.partial - other.partial)

    def __mul__(self, times: int) -> "Cost":
        return Cost(self.forwards * times, self.backwards * times, self.partial * times)

    def __str__(self) -> str:
        parts = [_count(self.forwards, "forward")]
        parts += [_count(self.partial, "partial forward")] if self.partial else []
        parts += [_count(self.backwards, "backward")] if self.backwards else []
        return ", ".join(parts)

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name, ready for JSON."""
        return asdict(self)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
