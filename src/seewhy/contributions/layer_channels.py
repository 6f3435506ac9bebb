"""Channels of a layer as units."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seewhy.contributions.baseline import channel_axis
from seewhy.contributions.slices import SlicedUnits, Slices
from seewhy.core.method import AUTO
from seewhy.core.needs import Needs
from seewhy.engine.session import Session


@dataclass(frozen=True, eq=False)
class Channels(SlicedUnits):
    """The channels of one layer.

    Args:
        at: name of the layer; "auto" is the one that methods look at, "encoder:in" what a layer is given. It need not have a grid: the
            numbers of a vector (b, c) are its channels.
        gradients: also ask for the gradient at the layer, for the contribution formula.

    Limits: channels of which one stands in for another both seem to do nothing; group those that move together. A mean is right for the
        layer as a whole, not for a picture: the mixture may be one that no picture gives.
    Source: Morcos et al. 2018, arXiv 1803.06959 (a unit held at zero, or at its mean); Wang et al. 2022, arXiv 2211.00593 (means over data).
    """

    at: str = AUTO
    gradients: bool = False

    kind: ClassVar = "channels"
    noun: ClassVar = "channel"

    @property
    def layer(self) -> str:
        """Where the channels are."""
        return self.slices[0].layer if self.slices else self.at

    def found(self, session: Session, image: Float[Tensor, "1 c *spatial"]) -> tuple[Slices, ...]:
        """Return all channels of the layer."""
        layer = session.network.target_layer(image) if self.at == AUTO else self.at
        made = session.block(image, Needs(outputs=frozenset({layer}))).shared
        shape = made.nodes[layer].shape
        return (Slices(layer, "", shape[channel_axis(shape, made.grids[layer], layer)]),)

    def needs(self) -> Needs:
        """Return the output of the layer, and its gradient where that is wanted."""
        gradients = frozenset({self.layer}) if self.gradients else frozenset()
        return super().needs() | Needs(gradients=gradients)
