"""What a layer gives on one photo: a map for each channel, how strong it is, and what all of them have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.sample import Geometry, Sample
from seewhy.engine.black_box import refuse_black_box
from seewhy.engine.passes import upcast
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, LayerError, ModelError
from seewhy.ops.finite import all_finite
from seewhy.ops.principal import Components, principal_components

Order = Literal["peak", "mean"]
"""What makes a channel strong: its largest magnitude anywhere, or its mean magnitude."""
COMPONENTS = 3
"""As many as a picture has colours."""


@dataclass(frozen=True)
class ChannelFacts:
    """What one channel does on the photo.

    Attributes:
        index: number of the channel.
        mean, least, most: of the activations over all positions, sign included.
        peak: the activation of largest magnitude, sign included.
        place: (row, column) of the peak on the layer's grid; empty where the layer has none.
        zeros: share of the positions where the activation is exactly zero.
    """

    index: int
    mean: float
    least: float
    most: float
    peak: float
    place: tuple[int, ...]
    zeros: float

    @property
    def dead(self) -> bool:
        """Whether the channel is zero everywhere on this photo; another photo may wake it."""
        return self.zeros == 1


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """What a layer gives on one photo.

    An activation is large because the network is built that way, or because of the photo: one photo does not tell. Channels of one layer
    may have scales of their own, so a strong channel is not an important one.

    Attributes:
        layer: name of the layer.
        maps: activations on the layer's grid (c, *spatial); (c,) where the layer has none.
        sample: the photo, as the network takes it.
        network: name of the network, for people.
        notes: what a reader must know about how the maps were read.
    """

    layer: str
    maps: Float[Tensor, "c *spatial"]
    sample: Sample
    network: str
    notes: tuple[str, ...] = ()

    @property
    def spatial(self) -> bool:
        """Whether the activations have places on the photo."""
        return self.maps.dim() == 3

    @property
    def signed(self) -> bool:
        """Whether any activation of the layer is below zero."""
        return bool((self.maps < 0).any())

    @property
    def dead(self) -> list[int]:
        """The channels that are zero everywhere on this photo."""
        silent: list[int] = (~self.maps.reshape(len(self.maps), -1).any(dim=1)).nonzero()[:, 0].tolist()
        return silent

    def strongest(self, count: int = 24, by: Order = "peak") -> list[int]:
        """Return the strongest channels, strongest first; channels that are zero everywhere are left out.

        Args:
            count: how many at most.
            by: "peak" ranks by the largest magnitude anywhere, and equal ones (as behind a rectifier with a ceiling) by their mean magnitude;
                "mean" the other way round. What is still equal stands in the order of the channels.

        Raises:
            ConfigError: another order, or fewer than one channel.
        """
        if by not in get_args(Order):
            raise ConfigError(f"channels are ordered by 'peak' or 'mean', got {by!r}")
        if count < 1:
            raise ConfigError(f"at least one channel must be shown, got {count}")
        sizes = self.maps.reshape(len(self.maps), -1).abs()
        peaks, means = sizes.amax(dim=1).tolist(), sizes.mean(dim=1).tolist()
        keys = list(zip(peaks, means, strict=True) if by == "peak" else zip(means, peaks, strict=True))
        ranked = sorted(
            (number for number in range(len(keys)) if peaks[number] > 0), key=lambda n: keys[n], reverse=True
        )
        return ranked[:count]

    def facts(self, channel: int) -> ChannelFacts:
        """Return the numbers of one channel; raise `ConfigError` where there is no such channel."""
        if not 0 <= channel < len(self.maps):
            raise ConfigError(
                f"layer {self.layer!r} has {len(self.maps)} channels, from 0; there is no channel {channel}"
            )
        values = self.maps[channel].flatten()
        at = int(values.abs().argmax())
        place = divmod(at, self.maps.shape[2]) if self.spatial else ()
        return ChannelFacts(
            index=channel,
            mean=float(values.mean()),
            least=float(values.min()),
            most=float(values.max()),
            peak=float(values[at]),
            place=place,
            zeros=float((values == 0).double().mean()),
        )

    def norm(self) -> Float[Tensor, "h w"]:
        """Return the length of the vector of all channels at each position; raise `LayerError` where there are no positions."""
        self._wants_places()
        lengths: Tensor = torch.linalg.vector_norm(self.maps, dim=0)
        return lengths

    def components(self) -> tuple[Float[Tensor, "k h w"], Components]:
        """Return the first three principal components of the vectors at all positions, as maps, and their axes and shares.

        Positions that the layer describes alike get alike values; what the components mean is for the eye to say. Tokens without a place
        (class, registers) do not take part. See `seewhy.ops.principal.principal_components` for the sign.

        Raises:
            LayerError: the layer has no positions.

        Source: Oquab et al. 2023, DINOv2, arXiv 2304.07193, figure 1, shows patch tokens so.
        """
        self._wants_places()
        found = principal_components(self.maps.flatten(1).T, COMPONENTS)
        return found.scores.T.reshape(-1, *self.maps.shape[1:]), found

    def in_source(self, values: Float[Tensor, "h w"], size: tuple[int, int] | None = None) -> Float[Tensor, "sh sw"]:
        """Return a map on the layer's grid on the pixels of the photo; NaN where the network saw nothing.

        Args:
            values: one of the maps, or anything on their grid.
            size: resolution (h, w) at which to draw the whole photo; its own size if None.
        """
        self._wants_places()
        return self._placed()[1].to_source(values, size)

    def place_in_source(self, place: Sequence[int]) -> tuple[float, float]:
        """Return the centre (y, x), in pixels of the photo, of a position (row, column) on the layer's grid."""
        self._wants_places()
        top, left, bottom, right = self._placed()[1].window
        down, across = ((n + 0.5) / cells for n, cells in zip(place, self.maps.shape[1:], strict=True))
        return top + down * (bottom - top), left + across * (right - left)

    @property
    def partly_seen(self) -> bool:
        """Whether the network saw only a part of the photo."""
        geometry = self._placed()[1]
        top, left, bottom, right = geometry.window
        return top > 0 or left > 0 or bottom < geometry.source[0] or right < geometry.source[1]

    @property
    def photo(self) -> Image.Image:
        """The photo; raises `ConfigError` where the sample came as a ready input."""
        return self._placed()[0]

    def _placed(self) -> tuple[Image.Image, Geometry]:
        if self.sample.picture is None or self.sample.geometry is None:
            raise ConfigError("this sample came as a ready input, so there is no photo to draw on; give a picture")
        return self.sample.picture, self.sample.geometry

    def _wants_places(self) -> None:
        if not self.spatial:
            raise LayerError(
                f"layer {self.layer!r} puts out {len(self.maps)} numbers without a place in the photo; choose a layer with a grid: `seewhy layers`"
            )


def layer_maps(session: Session, sample: Sample, layer: str) -> LayerMaps:
    """Return what a layer gives on one photo; one forward pass, up to the layer.

    Args:
        session: runs the network.
        sample: the photo, prepared.
        layer: name of the layer; "relu#1" is the second call of one that runs several times.

    Raises:
        LayerError: no such layer (the nearest names are offered), one that gives no row for the photo, or a black box.
        ModelError: the layer gives NaN or infinity.
    """
    refuse_black_box(session.network.module, session.model.title)
    inputs = session.network.accept(sample.inputs[None])
    made = session.network.forward(inputs, Needs(activations=frozenset({layer})), stop=True)
    found, grid = upcast(made.reading.activation[layer].detach()).cpu(), made.grids[layer]
    if len(found) != 1:
        raise LayerError(
            f"layer {layer!r} gives {len(found)} rows for one photo, such as one a window; choose another layer"
        )
    if not all_finite(found):
        raise ModelError(f"layer {layer!r} gives NaN or infinity; check the weights of {session.model.title}")
    if grid is not None:
        return LayerMaps(layer, found[0], sample, session.model.title, _about(grid.extra))
    maps, note = _placeless(found[0], layer)
    return LayerMaps(layer, maps, sample, session.model.title, (note,))


def _about(extra: int) -> tuple[str, ...]:
    if not extra:
        return ()
    what = "1 token has" if extra == 1 else f"{extra} tokens have"
    return (f"{what} no place in the photo (class, registers) and {'is' if extra == 1 else 'are'} not shown",)


def _placeless(values: Tensor, layer: str) -> tuple[Float[Tensor, " c"], str]:
    """Return one number for each feature of a layer without a grid: tokens (n, c) have features last, everything else first."""
    features = values.movedim(-1, 0) if values.dim() == 2 else values
    flat = features.reshape(len(features), -1) if features.dim() else features.reshape(1, 1)
    note = f"{layer} has no places in the photo, so there is no map: one number for each feature"
    many = flat.shape[1]
    return flat.mean(dim=1), note if many == 1 else f"{note}, the mean over its {many} positions"
