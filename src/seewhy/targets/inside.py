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


class LayerTarget(Target):
    """A target that reads one layer and nothing else."""

    layer: str

    def needs(self) -> Needs:
        """Return the layer."""
        return Needs(activations=frozenset({self.layer}))

    def reads_answer(self) -> bool:
        """Say that only the layer is read."""
        return False


@dataclass(frozen=True)
class Channel(LayerTarget):
    """Mean activation of one channel of a layer over all positions.

    Args:
        layer: name of the layer.
        index: number of the channel (or feature, for tokens and vectors).
    """

    layer: str
    index: int

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Check that there is such a channel."""

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return _flat(_channel(seen, self.layer, self.index)).mean(dim=1)

        score(reading)
        return BoundTarget(score, (f"channel {self.index} of {self.layer}",) * len(reading.output), "activation")


@dataclass(frozen=True)
class Neuron(LayerTarget):
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

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the position for each image."""
        channel = _channel(reading, self.layer, self.index)
        size = tuple(channel.shape[1:])
        if self.position is None:
            flat = _flat(channel.detach()).argmax(dim=1)
        else:
            flat = channel.new_full((len(channel),), place_of(self.position, size, self.layer)).long()

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return _flat(_channel(seen, self.layer, self.index)).gather(1, flat[:, None])[:, 0]

        return BoundTarget(score, (f"a neuron of channel {self.index} of {self.layer}",) * len(channel), "activation")


def channels_first(activation: Float[Tensor, "b ..."]) -> Float[Tensor, "b c *spatial"]:
    """Return what a layer gave with its features on the second axis; a layer without a grid has them last."""
    return activation if activation.dim() != 3 else activation.movedim(-1, 1)


def columns_of(activation: Float[Tensor, "b ..."]) -> Float[Tensor, "b c n"]:
    """Return what a layer gave as one column of channels for each position; a layer without positions has one."""
    channels = channels_first(activation)
    return channels.reshape(*channels.shape[:2], -1)


def place_of(position: tuple[int, ...] | Literal["center"], size: tuple[int, ...], layer: str) -> int:
    """Return the number of a position on a grid, counted row by row; raise `TargetError` where there is no such position."""
    if position == "center":
        position = tuple(n // 2 for n in size)
    if len(position) != len(size) or any(not 0 <= p < n for p, n in zip(position, size, strict=True)):
        where = f"the grid of {layer!r} is {' x '.join(map(str, size))}" if size else f"{layer!r} has no positions"
        raise TargetError(f"there is no position {position}: {where}, counted from 0")
    place = 0
    for p, n in zip(position, size, strict=True):
        place = place * n + int(p)
    return place


def _channel(reading: Reading, layer: str, index: int) -> Float[Tensor, "b *spatial"]:
    """Return one channel of a layer."""
    channels = channels_first(reading.activation[layer])
    if not 0 <= index < channels.shape[1]:
        last = channels.shape[1] - 1
        raise TargetError(f"layer {layer!r} has {channels.shape[1]} channels, 0 to {last}; there is no channel {index}")
    return channels[:, index]


def _flat(channel: Float[Tensor, "b *spatial"]) -> Float[Tensor, "b n"]:
    return channel.reshape(len(channel), -1)
