"""What methods have in common that look at an image through each channel of a layer in turn."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Anatomy, Method
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.values import Array, as_value
from seewhy.errors import ConfigError
from seewhy.ops.channels import weighted_sum
from seewhy.ops.masks import of_channels, strongest


@dataclass(frozen=True)
class ChannelMethod(Method):
    """A method that asks about each channel of a layer, or about the strongest ones.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        channels: ask about so many channels of each image only, those that vary most over the positions (by their standard deviation); the
            others get the weight 0. None asks about all.
    """

    layer: str = AUTO
    channels: int | None = None

    family: ClassVar = "cam"
    access: ClassVar = "layers"
    resolution: ClassVar = "layer"

    def __post_init__(self) -> None:
        if self.channels is not None and self.channels < 1:
            raise ConfigError(f"{self.key} wants at least 1 channel, or None for all, got {self.channels}")

    def needs(self) -> Needs:
        """Return the activation of the layer."""
        return Needs(activations=frozenset({self.layer}))

    def cost(self) -> Cost | None:
        """Return None: how many channels there are depends on the network."""
        return None

    def asked(self, anatomy: Anatomy) -> int:
        """Return about how many channels of each image is asked."""
        there = anatomy.activation_shape(self.layer)[0]
        return there if self.channels is None else min(self.channels, there)

    def chosen(self, activation: Float[Tensor, "b c *spatial"]) -> Int[Tensor, "b n"]:
        """Return which channels of each image are asked about, in their order."""
        return strongest(activation.flatten(2).std(dim=2, correction=0), self.channels or activation.shape[1])


@dataclass(frozen=True)
class ChannelMaskMethod(ChannelMethod):
    """A method that shows the image through masks made of channels and weighs the channels by the softmax of the scores.

    Args:
        fill: what is shown where a mask is 0; "zero" in the network's units is the paper's product of mask and normalized image.
    """

    fill: str | Array = "zero"

    signed: ClassVar = False
    map_unit: ClassVar = "units of the activation"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "fill", as_value(self.fill))

    @property
    @abstractmethod
    def looks(self) -> int:
        """How many masks are made of each channel."""

    @abstractmethod
    def masks(self, channel: Float[Tensor, "b *grid"], probe: Probe) -> Iterator[Float[Tensor, "b *spatial"]]:
        """Yield the masks of one channel of each image, `looks` of them, of the size of the input."""

    def cost_on(self, anatomy: Anatomy) -> Cost:
        """Return the image, and each mask of each channel."""
        return Cost(1 + self.looks * self.asked(anatomy))

    def attribute(self, probe: Probe) -> Float[Tensor, "b *grid"]:
        """Return relu(sum_k w_k A_k), w the softmax of the mean score of each channel; a channel that is constant gets 0."""
        activation = probe.trace().activation[self.layer]
        maps = of_channels(activation, self.chosen(activation))  # (b, n, *grid)
        masks = (mask for channel in maps.unbind(dim=1) for mask in self.masks(channel, probe))
        scores = torch.stack(list(probe.masked(masks, probe.stand_in(self.fill))), dim=1)  # (b, n * looks)
        means = scores.view(len(maps), -1, self.looks).mean(dim=2)
        varies = maps.flatten(2).amax(dim=2) > maps.flatten(2).amin(dim=2)
        weights = torch.where(varies, torch.where(varies, means, -torch.inf).softmax(dim=1), 0)
        return weighted_sum(weights, maps).relu()
