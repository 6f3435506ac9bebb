"""What is asked of a network's layers: which there are, what they give, which one methods look at."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from jaxtyping import Float
from torch import Tensor

from seewhy.engine.anatomy import Anatomy, sample_of
from seewhy.engine.grid import Grid
from seewhy.engine.layers import Layer
from seewhy.engine.token_grids import Places


class Layered(ABC):
    """A network that is asked about its layers; the first question for each size of input takes a pass, or some."""

    _anatomy: Anatomy

    @abstractmethod
    def accept(self, inputs: Tensor) -> Float[Tensor, "b c *spatial"]:
        """Return inputs on the network's device and in its precision."""

    @abstractmethod
    def _running(self) -> AbstractContextManager[None]:
        """Return what a pass is made within."""

    @abstractmethod
    def _explained(self, inputs: Tensor) -> AbstractContextManager[None]:
        """Return what says of an error on which input it came up."""

    def layers(self, input_size: tuple[int, ...], channels: int = 3) -> tuple[list[Layer], str | None]:
        """List the layers in the order in which they finish on inputs of this size, and name the one that methods look at, if any."""
        inputs = self.accept(sample_of((channels, *input_size)))
        with self._running(), self._explained(inputs):
            return self._anatomy.layers(inputs)

    def carrying(self, inputs: Float[Tensor, "b c *spatial"]) -> tuple[str, ...]:
        """Return the layers with a grid that run once for each frame and hand something on from frame to frame, the outermost alone."""
        with self._running(), self._explained(inputs):
            return self._anatomy.carrying(inputs)

    def remembering(self, inputs: Float[Tensor, "b c *spatial"]) -> frozenset[str]:
        """Return all layers that are known to hand something on from frame to frame; nothing is run for it."""
        return self._anatomy.remembering(inputs)

    def target_layer(self, inputs: Float[Tensor, "b c *spatial"]) -> str:
        """Return the layer that methods look at; raise `LayerError` where there is none."""
        with self._running(), self._explained(inputs):
            return self._anatomy.target_layer(inputs)

    def activation_shape(self, layer: str, inputs: Float[Tensor, "b c *spatial"]) -> tuple[int, ...]:
        """Return the shape (c, *spatial) of what a layer gives on its grid; raise `LayerError` where it has none."""
        with self._running(), self._explained(inputs):
            return self._anatomy.activation_shape(layer, inputs)

    def layer_grid(self, layer: str, inputs: Float[Tensor, "b c *spatial"]) -> Grid | None:
        """Return the grid of what a layer puts out on inputs of this size; None where it has none, or does not run."""
        with self._running(), self._explained(inputs):
            found = self._anatomy.layer(layer, inputs)
        return None if found is None else found.grid

    def places(self, inputs: Float[Tensor, "b c *spatial"]) -> Places:
        """Return where tokens may lie on inputs of this size: those of clips as it was measured, which takes some passes once."""
        with self._running(), self._explained(inputs):
            return self._anatomy.places(inputs)

    def token_layer(self, inputs: Float[Tensor, "b c *spatial"]) -> str:
        """Return the first layer that puts out tokens with places; raise `LayerError` where there is none."""
        with self._running(), self._explained(inputs):
            return self._anatomy.token_layer(inputs)

    def biased_layers(self, inputs: Float[Tensor, "b c *spatial"]) -> tuple[str, ...]:
        """Return the layers that run and add a constant to their output, in the order in which they finish."""
        with self._running(), self._explained(inputs):
            return self._anatomy.biased_layers(inputs)
