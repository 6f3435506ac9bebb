"""The activation maps of a layer on one photo: which are shown, on what scale, as a contact sheet, as arrays and as numbers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy import render
from seewhy.core.sample import Sample
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, DataError
from seewhy.render.bar import figures, percent
from seewhy.render.contact import Cell
from seewhy.render.scene import resized
from seewhy.visualization.activation_cells import (
    ends,
    fitted,
    in_colours,
    over_photo,
    own_scale,
    risen,
    shared_scale,
)
from seewhy.visualization.feature_bars import feature_bars
from seewhy.visualization.layer_maps import ChannelFacts, LayerMaps, Order, layer_maps

FORMAT = "seewhy-activations-1"
"""Name and version of the layout of the numbers; a change that breaks readers raises the number."""
Scale = Literal["own", "one"]
"""Whether each map's scale ends at its own largest magnitude, or all share one."""
SHOWN = 24
_CELL = 200
_TEXT = 14


@dataclass(frozen=True, eq=False)
class Activations:
    """What a layer gives on one photo, and the channels of it that are shown.

    Attributes:
        layer: all channels of the layer, and what may be asked of them.
        channels: numbers of those that are shown, in this order.
        by: how they were chosen: "peak", "mean", or "named".
        scale: "own", or "one" for all that are shown.
        provenance: network, versions, seed.
    """

    layer: LayerMaps
    channels: tuple[int, ...]
    by: str = "peak"
    scale: Scale = "own"
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def maps(self) -> Float[Tensor, "m *spatial"]:
        """The activations of the shown channels on the layer's grid; one number each where the layer has none."""
        return self.layer.maps[list(self.channels)]

    @cached_property
    def facts(self) -> tuple[ChannelFacts, ...]:
        """The numbers of each shown channel."""
        return tuple(self.all_facts[channel] for channel in self.channels)

    @cached_property
    def all_facts(self) -> tuple[ChannelFacts, ...]:
        """The numbers of each channel of the layer."""
        return tuple(self.layer.facts(channel) for channel in range(len(self.layer.maps)))

    def limit(self, fact: ChannelFacts) -> float:
        """Return the magnitude at the end of a channel's scale."""
        return abs(fact.peak) if self.scale == "own" else max(abs(one.peak) for one in self.facts)

    def drawn(self, values: Float[Tensor, "h w"], long: int) -> Float[np.ndarray, "sh sw"]:
        """Return a map on the whole photo, its long side so many cells; NaN where the network saw nothing."""
        width, height = fitted(self.layer.photo, long)
        return self.layer.in_source(values.float(), (height, width)).numpy()

    def photo_at(self, long: int) -> Image.Image:
        """Return the photo with its long side so many pixels; resized once, it is drawn under many maps."""
        return resized(self.layer.photo, fitted(self.layer.photo, long))

    def sheet(self) -> Image.Image:
        """Draw the photo, the norm, three principal components as colours, and the shown channels over the photo.

        Where the layer has no places, the numbers of its strongest features are drawn as bars.
        """
        if not self.layer.spatial:
            return self._bars()
        photo = self.photo_at(_CELL)
        cells = [*self._overview(photo), *(self._cell(photo, fact) for fact in self.facts)]
        limit = max((abs(fact.peak) for fact in self.facts), default=0.0)
        signed = self.layer.signed
        foot = (
            own_scale(480, _TEXT, signed=signed)
            if self.scale == "own"
            else shared_scale(480, _TEXT, signed=signed, limit=limit)
        )
        return render.contact(cells, cell=photo.size, title=self.title, notes=self.sentences, foot=foot)

    @property
    def title(self) -> str:
        """What is shown, in one line."""
        return f"{self.layer.sample.name}: activations of {self.layer.layer} ({self.layer.network})"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a reader must know: which channels, on what scale, how many are silent."""
        layer, count = self.layer, len(self.layer.maps)
        what = "channels" if layer.spatial else "features"
        chosen = {
            "peak": f"the {len(self.channels)} of {count} {what} with the largest magnitude"
            + (
                " anywhere in the photo, the strongest first, equal ones by their mean"
                if layer.spatial
                else ", the largest first"
            ),
            "mean": f"the {len(self.channels)} of {count} {what} with the largest mean magnitude, the strongest first",
            "named": f"{len(self.channels)} of {count} {what}, as named",
        }[self.by]
        silent = len(layer.dead)
        dead = f"{silent} of {count} {what} {'is' if silent == 1 else 'are'} zero {'everywhere on' if layer.spatial else 'for'} this photo"
        scales = {"own": "each map's scale ends at its own peak", "one": "all maps share one scale"}[self.scale]
        shown = f"Shown: {chosen}; {scales}." if layer.spatial else f"Shown: {chosen}."
        cut = "Hatched: not seen by the network." if layer.spatial and layer.partly_seen else ""
        return tuple(filter(None, (shown, f"{dead}." if silent else "", *(f"{note}." for note in layer.notes), cut)))

    def _overview(self, photo: Image.Image) -> list[Cell]:
        norm = self.layer.norm()
        maps, found = self.layer.components()
        painted = np.stack([self.drawn(values, _CELL) for values in maps])
        return [
            (photo, ["photo"]),
            (
                risen(photo, self.drawn(norm, _CELL), _CELL),
                ["norm of all channels", ends(float(norm.min()), float(norm.max()))],
            ),
            (
                in_colours(photo, painted, _CELL),
                ["principal components", "red, green, blue explain", explained(found.shares)],
            ),
        ]

    def _cell(self, photo: Image.Image, fact: ChannelFacts) -> Cell:
        drawn = self.drawn(self.layer.maps[fact.index], _CELL)
        picture = over_photo(photo, drawn, signed=self.layer.signed, limit=self.limit(fact), long=_CELL)
        return picture, [f"channel {fact.index}", *words(fact)]

    def _bars(self) -> Image.Image:
        values = [fact.peak for fact in self.facts]
        names = [f"feature {fact.index}" for fact in self.facts]
        written = [figures(value) for value in values]
        return feature_bars(names, values, written, title=self.title, notes=self.sentences)

    def numbers(self) -> dict[str, Any]:
        """Return everything but the maps as plain values, ready for JSON; facts of all channels, also of those that are not shown."""
        layer, sample = self.layer, self.layer.sample
        found: dict[str, Any] = {
            "format": FORMAT,
            "photo": {"name": sample.name, "width": layer.photo.width, "height": layer.photo.height},
            "network": layer.network,
            "layer": layer.layer,
            "grid": list(layer.maps.shape[1:]) or None,
            "signed": layer.signed,
            "shown": list(self.channels),
            "by": self.by,
            "scale": self.scale,
            "dead": layer.dead,
            "notes": list(layer.notes),
            "channels": [self._plain(fact) for fact in self.all_facts],
            "provenance": self.provenance,
        }
        if layer.spatial:
            norm, (_, components) = layer.norm(), layer.components()
            found["norm"] = {"least": float(norm.min()), "mean": float(norm.mean()), "most": float(norm.max())}
            found["components"] = {"explained": components.shares.tolist()}
        return found

    def _plain(self, fact: ChannelFacts) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "channel": fact.index,
            "mean": fact.mean,
            "min": fact.least,
            "max": fact.most,
            "peak": fact.peak,
            "zeros": fact.zeros,
        }
        if fact.place:
            y, x = self.layer.place_in_source(fact.place)
            plain |= {"row": fact.place[0], "column": fact.place[1], "x": round(x, 1), "y": round(y, 1)}
        return plain

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the raw maps and what they are, as arrays without objects: `maps` (m, h, w), `channels` (m,), `norm`, `components`, `axes`."""
        layer = self.layer
        about: dict[str, Any] = {
            "format": FORMAT,
            "layer": layer.layer,
            "network": layer.network,
            "photo": layer.sample.name,
        }
        if layer.sample.geometry is not None:
            geometry = layer.sample.geometry
            about["geometry"] = {"source": geometry.source, "window": geometry.window, "size": geometry.size}
        found = {
            "maps": self.maps.numpy(),
            "channels": np.array(self.channels, np.int64),
            "layer": np.array(layer.layer),
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        }
        if layer.spatial:
            maps, components = layer.components()
            found |= {"norm": layer.norm().numpy(), "components": maps.numpy(), "axes": components.axes.numpy()}
        return found

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the contact sheet (`.png`), the raw maps (`.npz`) or the numbers (`.json`).

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        makers = {".png": lambda: render.png_bytes(self.sheet()), ".npz": self._packed, ".json": self._written}
        if path.suffix not in makers:
            raise DataError(
                f"{path.name}: activations are written as .png, .npz or .json, not {path.suffix or 'without an ending'}"
            )
        return render.write_bytes(path, makers[path.suffix](), force=force)

    def _packed(self) -> bytes:
        buffer = BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **self.arrays())
        return buffer.getvalue()

    def _written(self) -> bytes:
        return json.dumps(self.numbers(), indent=2, allow_nan=False).encode()

    def _repr_png_(self) -> bytes:
        return render.png_bytes(self.sheet())


def words(fact: ChannelFacts) -> list[str]:
    """Return the numbers of a channel as a caption."""
    if fact.dead:
        return ["zero everywhere here"]
    zeros = f", zero on {percent(fact.zeros)}" if fact.zeros else ""
    return [f"peak {figures(fact.peak)}", f"mean {figures(fact.mean)}{zeros}"]


def explained(shares: Float[Tensor, " k"]) -> str:
    """Return which share of the variance each component explains."""
    return ", ".join(percent(share) for share in shares.tolist())


def activations(
    session: Session,
    sample: Sample,
    layer: str,
    *,
    channels: int | Sequence[int] = SHOWN,
    by: Order = "peak",
    scale: Scale = "own",
) -> Activations:
    """Return what a layer gives on one photo.

    Args:
        session: runs the network, once, up to the layer.
        sample: the photo, prepared.
        layer: name of the layer.
        channels: how many of the strongest, or which ones.
        by: what makes a channel strong: its "peak" (largest magnitude anywhere), or its "mean" magnitude.
        scale: "own": each map ends at its own peak; "one": at the largest peak of all that are shown.

    Raises:
        LayerError: no such layer, or no channel of it is awake.
        ConfigError: no such channel, order or scale.
    """
    if scale not in get_args(Scale):
        raise ConfigError(f"the scale is 'own' or 'one', got {scale!r}")
    found = layer_maps(session, sample, layer)
    chosen = tuple(found.strongest(channels, by) if isinstance(channels, int) else channels)
    for channel in chosen:
        found.facts(channel)  # says which one is not there
    return Activations(found, chosen, by if isinstance(channels, int) else "named", scale, session.provenance)
