"""What a readable model reads: a few named numbers for each picture."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.data.features import Features


class Basis(ABC):
    """Turns the features of pictures into m named numbers each. Subclasses are frozen dataclasses.

    Attributes:
        kind: "concepts", "channels", "attributes", ...
        noun: what one of the numbers is called: "concept".
    """

    kind: ClassVar[str]
    noun: ClassVar[str]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What the numbers are called, in their order."""

    @property
    @abstractmethod
    def layer(self) -> str:
        """Whose features are read."""

    @abstractmethod
    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return the numbers of each picture."""

    def control(self, features: Features, seed: int) -> "RandomDirections":
        """Return as many random directions: what a readable model makes of these owes nothing to concepts."""
        return RandomDirections.drawn(features, len(self.names), seed)


@dataclass(frozen=True, eq=False)
class ConceptScores(Basis):
    """The mean code of each concept over the positions of a picture.

    Args:
        dictionary: of the concepts.
    """

    dictionary: Dictionary

    kind: ClassVar = "concepts"
    noun: ClassVar = "concept"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the concepts."""
        return self.dictionary.names

    @property
    def layer(self) -> str:
        """That of the dictionary."""
        return self.dictionary.layer

    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return the mean codes."""
        codes = self.dictionary.codes(features)
        return codes.flatten(2).mean(dim=2) if codes.dim() > 2 else codes


@dataclass(frozen=True, eq=False)
class PooledChannels(Basis):
    """The mean of each channel of a layer over its positions.

    Args:
        at: name of the layer.
        channels: how many it has.
    """

    at: str
    channels: int

    kind: ClassVar = "channels"
    noun: ClassVar = "channel"

    @property
    def names(self) -> tuple[str, ...]:
        """Numbers from 0."""
        return tuple(f"channel {number}" for number in range(self.channels))

    @property
    def layer(self) -> str:
        """Whose channels they are."""
        return self.at

    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return the pooled features."""
        return features.pooled


@dataclass(frozen=True, eq=False)
class RandomDirections(Basis):
    """The mean feature along directions drawn at random: the control that every concept must beat.

    Args:
        at: name of the layer.
        directions: of length 1 (m, c).
    """

    at: str
    directions: Float[Tensor, "m c"]

    kind: ClassVar = "random"
    noun: ClassVar = "random direction"

    @classmethod
    def drawn(cls, features: Features, count: int, seed: int) -> "RandomDirections":
        """Draw directions that are uniform on the sphere."""
        noise = torch.randn(count, features.channels, generator=torch.Generator().manual_seed(seed))
        return cls(features.layer, noise / noise.norm(dim=1, keepdim=True))

    @property
    def names(self) -> tuple[str, ...]:
        """Numbers from 0."""
        return tuple(f"random direction {number}" for number in range(len(self.directions)))

    @property
    def layer(self) -> str:
        """Whose features are mixed."""
        return self.at

    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return the pooled features along the directions."""
        return features.pooled @ self.directions.T
