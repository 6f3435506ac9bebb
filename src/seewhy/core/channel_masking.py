"""What methods have in common that look at an image through each channel of a layer in turn."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.core.cost import Cost
from seewhy.core.method import AUTO, Anatomy, Attribution, Method
from seewhy.core.needs import Needs
from seewhy.core.probe import Probe
from seewhy.core.values import Array, as_value
from seewhy.errors import ConfigError
from seewhy.ops.channels import weighted_sum
from seewhy.ops.masks import of_channels, strongest

V = TypeVar("V")


@dataclass(frozen=True)
class ChannelMethod(Method):
    """A method that asks about each channel of a layer, or about the strongest ones.

    Args:
        layer: the layer; "auto" is the last one with a grid.
        channels: ask about so many channels of each image only, those that vary most over the positions (by their standard deviation); the
            others get the weight 0. None asks about all.
        budget: the most that may be spent, forwards (500) or a time ("30s"): channels that vary most come first, those that are not
            reached get the weight 0. None is no limit.
    """

    layer: str = AUTO
    channels: int | None = None
    budget: Budget = None

    family: ClassVar = "cam"
    access: ClassVar = "layers"
    resolution: ClassVar = "layer"

    def __post_init__(self) -> None:
        if self.channels is not None and self.channels < 1:
            raise ConfigError(f"{self.key} wants at least 1 channel, or None for all, got {self.channels}")
        if (Allowance.of(self.budget).forwards or self.looks) < self.looks:
            raise ConfigError(
                f"{self.key} asks {self.looks} times about each channel; a budget of {self.budget} pays for none"
            )

    @property
    def looks(self) -> int:
        """How often the network is asked about each channel."""
        return 1

    def needs(self) -> Needs:
        """Return the activation of the layer."""
        return Needs(activations=frozenset({self.layer}))

    def cost(self) -> Cost | None:
        """Return None: how many channels there are depends on the network."""
        return None

    def asked(self, anatomy: Anatomy) -> int | None:
        """Return how often the network is asked about each image, by the channels that there are; None where the clock decides."""
        allowance = Allowance.of(self.budget)
        if allowance.seconds is not None:
            return None
        there = anatomy.activation_shape(self.layer)[0]
        count = self.looks * min(self.channels or there, there)
        return min(count, allowance.forwards or count)

    def chosen(self, activation: Float[Tensor, "b c *spatial"]) -> Int[Tensor, "b n"]:
        """Return which channels of each image are asked about: in their order, or, with a budget, those that vary most first."""
        strength = activation.flatten(2).std(dim=2, correction=0)
        count = self.channels or activation.shape[1]
        if self.budget is None:
            return strongest(strength, count)
        return strength.argsort(dim=1, descending=True, stable=True)[:, :count]

    def affordable(self, variants: Iterable[V]) -> Iterator[V]:
        """Hand on variants until the budget is spent, those of one channel at least."""
        return Allowance.of(self.budget).spend(variants, least=self.looks)

    def averaged(self, scores: Iterable[Float[Tensor, " b"]]) -> Float[Tensor, "b reached"]:
        """Return the mean score of each channel that was asked about completely."""
        found = torch.stack(list(scores), dim=1)
        reached = found.shape[1] // self.looks
        return found[:, : reached * self.looks].view(len(found), reached, self.looks).mean(dim=2)

    def remarks(self, reached: int, channels: int) -> tuple[str, ...]:
        """Say where a budget ended the asking."""
        if reached >= channels:
            return ()
        return (
            f"the budget of {self.budget} was spent after {reached} of {channels} channels, those that vary most first",
        )


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

    @abstractmethod
    def masks(self, channel: Float[Tensor, "b *grid"], probe: Probe) -> Iterator[Float[Tensor, "b *spatial"]]:
        """Yield the masks of one channel of each image, `looks` of them, of the size of the input."""

    def cost_on(self, anatomy: Anatomy) -> Cost | None:
        """Return the image, and each mask of each channel."""
        asked = self.asked(anatomy)
        return None if asked is None else Cost(1 + asked)

    def attribute(self, probe: Probe) -> Attribution:
        """Return relu(sum_k w_k A_k), w the softmax of the mean score of each channel; a channel that is constant gets 0."""
        activation = probe.trace().activation[self.layer]
        maps = of_channels(activation, self.chosen(activation))  # (b, n, *grid)
        masks = (mask for channel in maps.unbind(dim=1) for mask in self.masks(channel, probe))
        means = self.averaged(probe.masked(self.affordable(masks), probe.stand_in(self.fill)))  # (b, reached)
        reached, asked = means.shape[1], maps.shape[1]
        maps = maps[:, :reached]
        varies = maps.flatten(2).amax(dim=2) > maps.flatten(2).amin(dim=2)
        weights = torch.where(varies, torch.where(varies, means, -torch.inf).softmax(dim=1), 0)
        return Attribution(weighted_sum(weights, maps).relu(), notes=self.remarks(reached, asked))
