"""Targets inside the network: what excites a channel or a neuron."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError


@dataclass(frozen=True)
class Channel(Target):
    """Mean activation of one channel of a layer over all positions.

    Args:
        layer: name of the layer.
        index: number of the channel (or feature, for tokens and vectors).
    """

    layer: str
    index: int

    def needs(self) -> Needs:
        """Return the layer."""
        return Needs(activations=frozenset({self.layer}))

    def reads_answer(self) -> bool:
        """Say that only the layer is read."""
        return False

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Check that there is such a channel."""

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return _flat(_channel(seen, self.layer, self.index)).mean(dim=1)

        score(reading)
        return BoundTarget(score, (f"channel {self.index} of {self.layer}",) * len(reading.output), "activation")


@dataclass(frozen=True)
class Neuron(Target):
    """Activation of one channel of a layer at one position.

    Args:
        layer: name of the layer.
        index: number of the channel.
        position: (row, column) on the layer's grid, or "center"; the position of the largest activation, found on the unperturbed image,
            if None.
    """

    layer: str
    index: int
    position: tuple[int, ...] | Literal["center"] | None = None

    def needs(self) -> Needs:
        """Return the layer."""
        return Needs(activations=frozenset({self.layer}))

    def reads_answer(self) -> bool:
        """Say that only the layer is read."""
        return False

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the position for each image."""
        channel = _channel(reading, self.layer, self.index)
        size = tuple(channel.shape[1:])
        position = tuple(n // 2 for n in size) if self.position == "center" else self.position
        if position is None:
            flat = _flat(channel.detach()).argmax(dim=1)
        else:
            if len(position) != len(size) or any(not 0 <= p < n for p, n in zip(position, size, strict=True)):
                raise TargetError(f"there is no position {position} on the grid {size} of {self.layer!r}")
            place = 0
            for p, n in zip(position, size, strict=True):
                place = place * n + p
            flat = channel.new_full((len(channel),), place).long()

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return _flat(_channel(seen, self.layer, self.index)).gather(1, flat[:, None])[:, 0]

        return BoundTarget(score, (f"a neuron of channel {self.index} of {self.layer}",) * len(channel), "activation")


def _channel(reading: Reading, layer: str, index: int) -> Float[Tensor, "b *spatial"]:
    """Return one channel of a layer; a layer without a grid has its features last."""
    activation = reading.activation[layer]
    channels = activation if activation.dim() != 3 else activation.movedim(-1, 1)
    if not 0 <= index < channels.shape[1]:
        raise TargetError(f"layer {layer!r} has {channels.shape[1]} channels, from 0; there is no channel {index}")
    return channels[:, index]


def _flat(channel: Float[Tensor, "b *spatial"]) -> Float[Tensor, "b n"]:
    return channel.reshape(len(channel), -1)
