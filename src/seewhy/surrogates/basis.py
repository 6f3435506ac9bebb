"""What a readable model reads: a few named numbers for each picture."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.loading import dictionary_from
from seewhy.core.values import Array
from seewhy.data.features import Features
from seewhy.errors import ConfigError

MOST_CHANNELS = 1 << 20
"""A layer that claims more is none."""

B = TypeVar("B", bound="Basis")


class Basis(ABC):
    """Turns the features of pictures into m named numbers each. Subclasses are frozen dataclasses.

    Attributes:
        kind: "concepts", "channels", "attributes", ...
        noun: what one of the numbers is called: "concept".
        control_noun: what `control` gives.
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    control_noun: ClassVar[str] = "random directions"

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What the numbers are called, in their order."""

    @property
    @abstractmethod
    def layer(self) -> str:
        """Whose features are read."""

    @property
    def told(self) -> str:
        """How many numbers of what: "16 concepts of layer layer3"."""
        return f"{len(self.names)} {self.noun}{'s' if len(self.names) != 1 else ''} of layer {self.layer}"

    @abstractmethod
    def read(self, features: Features) -> Float[Tensor, "n m"]:
        """Return the numbers of each picture."""

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, ready for JSON; `seewhy.surrogates.bases.basis_from` adds and reads the kind."""

    @classmethod
    @abstractmethod
    def from_plain(cls: type[B], plain: Mapping[str, Any]) -> B:
        """Read back what `plain` gave; raise `ValueError`, `KeyError` or `TypeError` where it is no such thing."""

    def with_table(self, table: str | Path) -> "Basis":
        """Return the same with what a table says of other pictures.

        Raises:
            ConfigError: it reads no attributes.
        """
        raise ConfigError(f"the student reads {self.noun}s, not attributes: {table} is not needed")

    def control(self, features: Features, seed: int) -> "Basis":
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

    def plain(self) -> dict[str, Any]:
        """Return the dictionary."""
        return {"dictionary": self.dictionary.plain()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "ConceptScores":
        """Read back what `plain` gave."""
        return cls(dictionary_from(plain["dictionary"]))


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

    def plain(self) -> dict[str, Any]:
        """Return the layer and how many channels it has."""
        return {"layer": self.at, "channels": self.channels}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "PooledChannels":
        """Read back what `plain` gave."""
        channels = int(plain["channels"])
        if not 0 < channels <= MOST_CHANNELS:
            raise ValueError(f"a layer of {channels} channels")
        return cls(str(plain["layer"]), channels)


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

    def plain(self) -> dict[str, Any]:
        """Return the layer and the directions."""
        return {"layer": self.at, "directions": Array.of(self.directions).plain()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "RandomDirections":
        """Read back what `plain` gave."""
        directions = Array.from_plain(plain["directions"]).tensor()
        if directions.dim() != 2 or not directions.numel():
            raise ValueError(f"directions of shape {tuple(directions.shape)}, wanted is (m, c)")
        return cls(str(plain["layer"]), directions)
