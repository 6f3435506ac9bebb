"""What a question wants to see of one pass through the network."""

from dataclasses import dataclass

INPUT = "input"
"""The name of the network's input among the places where a gradient may be wanted."""


@dataclass(frozen=True)
class Needs:
    """Layers whose activations, and places whose gradients, are wanted; two needs unite with `|`.

    Args:
        activations: names of layers; each must have a spatial grid.
        gradients: names of layers, or `INPUT`; a gradient at a layer brings the activation with it.
        lenient: those of the gradients that are zero, and no error, where the score does not depend on the layer.
        outputs: names of layers whose output is wanted in the layer's own layout, whether it has a spatial grid or not.
    """

    activations: frozenset[str] = frozenset()
    gradients: frozenset[str] = frozenset()
    lenient: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()

    def __or__(self, other: "Needs") -> "Needs":
        strict = (self.gradients - self.lenient) | (other.gradients - other.lenient)
        gradients = self.gradients | other.gradients
        outputs = self.outputs | other.outputs
        return Needs(self.activations | other.activations, gradients, gradients - strict, outputs)

    @property
    def layers(self) -> frozenset[str]:
        """Every layer that must be watched."""
        return (self.activations | self.gradients | self.outputs) - {INPUT}


def at(*layers: str) -> Needs:
    """Want the activation and the gradient at each of these layers."""
    return Needs(frozenset(layers), frozenset(layers))
