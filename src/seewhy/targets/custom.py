"""Any function as a target, and short forms of the others."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import ClassScore
from seewhy.targets.inside import Channel, Neuron
from seewhy.targets.written import written_target

_UNIT = re.compile(r"(?P<layer>.+):(?P<index>\d+)(?:@(?P<place>center|\d+(?:,\d+)*))?")


@dataclass(frozen=True)
class Custom(Target):
    """Whatever a function makes of the network's answer.

    Args:
        function: output (b, ...) to one number per image (b,), made of torch operations.
        name: what it asks, in words.
        unit: unit of the number.
    """

    function: Callable[[Tensor], Tensor]
    name: str = "custom target"
    unit: str = "score"

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Take the function as it is: it must not decide anything by looking at the data."""

        def score(seen: Reading) -> Tensor:
            value = self.function(seen.output)
            if not isinstance(value, Tensor):
                raise TargetError(
                    f"the target's function returned {type(value).__name__}; a tensor with one number per image is wanted"
                )
            return value

        return BoundTarget(score, (self.name,) * len(reading.output), self.unit)


def as_target(target: object) -> Target:
    """Return a target: None is the predicted class, an index or a name is a class, a function is `Custom`.

    "blocks.8:20" is channel 20 of a layer, "blocks.8:20@center" and "blocks.8:20@3,4" are one neuron of it.
    "more:0", "box:2" and their like are read by `seewhy.targets.written`.
    """
    if isinstance(target, Target):
        return target
    written = written_target(target) if isinstance(target, str) else None
    if written is not None:
        return written
    unit = _UNIT.fullmatch(target.strip()) if isinstance(target, str) else None
    if unit:
        return _unit(unit["layer"], int(unit["index"]), unit["place"])
    if target is None or (isinstance(target, (int, str)) and not isinstance(target, bool)):
        return ClassScore(target)
    if callable(target):
        return Custom(target, name=getattr(target, "__name__", "custom target"))
    raise TargetError(
        f"a target is a class name, an index, a unit such as 'blocks.8:20', a function or one of seewhy.targets, got {type(target).__name__}"
    )


def _unit(layer: str, index: int, place: str | None) -> Channel | Neuron:
    """Return a channel, or a neuron where a place on the grid is named."""
    if place is None:
        return Channel(layer, index)
    return Neuron(layer, index, "center" if place == "center" else tuple(map(int, place.split(","))))
