"""What one pass through the network leaves behind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Reading:
    """What the network gave for a batch, still part of the graph: the thing that a bound target turns into scores.

    Attributes:
        output: the network's answer, (b, k) for a classifier.
        activation: per layer (b, c, *spatial); where a layer has no spatial grid, as the layer gave it.
    """

    output: Tensor
    activation: Mapping[str, Tensor] = field(default_factory=dict)

    def split(self, rows: int) -> Iterator["Reading"]:
        """Yield what was read of so many rows at a time."""
        for start in range(0, len(self.output), rows):
            part = slice(start, start + rows)
            yield Reading(self.output[part], {name: value[part] for name, value in self.activation.items()})


@dataclass(frozen=True, eq=False)
class Trace:
    """One pass, detached: what a method computes with.

    Attributes:
        inputs: the network's input (b, c, *spatial).
        output: the network's answer.
        score: value of the target, one per image.
        activation: per layer (b, c, *spatial).
        gradient: per layer, or at `INPUT`: derivative of the score, in the shape of the activation.
        raw: per layer the activation in the layer's own layout, tokens without a place included; for `Probe.between`.
        gridless: layers in whose output no spatial grid was found.
    """

    inputs: Float[Tensor, "b c *spatial"]
    output: Tensor
    score: Float[Tensor, " b"]
    activation: Mapping[str, Tensor] = field(default_factory=dict)
    gradient: Mapping[str, Tensor] = field(default_factory=dict)
    raw: Mapping[str, Tensor] = field(default_factory=dict)
    gridless: frozenset[str] = frozenset()
