"""Natural pictures that the channels of some layers like best and least, and a sample of everything between: the result of a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from seewhy.core.sample import Geometry, Sample
from seewhy.errors import ConfigError, LayerError, nearest
from seewhy.render.bar import figures
from seewhy.render.strips import Group, Strip, fitted, strips
from seewhy.visualization.patches import Patch, View, ready_picture, unchanged_picture

NOBODY = -1
"""Stands for no picture, and for no position."""


@dataclass(frozen=True)
class Example:
    """A picture, and what a channel gives for it.

    Attributes:
        name: of the picture.
        picture: its number in the data set.
        value: the channel's largest value over all positions; among the bottom ones its smallest.
        position: where on the layer's grid, (row, column); None for a layer without spatial axes.
        quantile: the share of the pictures that the channel gives no more than this, from 0 to 1; None among the bottom ones, whose
            value is not the largest but the smallest of the picture.
        label: index of the picture's class, where its folder or file tells.
    """

    name: str
    picture: int
    value: float
    position: tuple[int, ...] | None = None
    quantile: float | None = None
    label: int | None = None


@dataclass(frozen=True, eq=False)
class Ranked:
    """For each of m channels k pictures in order; places that nobody takes hold NaN and -1.

    Attributes:
        values: what the channel gives for the picture.
        pictures: number of the picture in the data set.
        positions: number of the position on the layer's grid, counted row by row; -1 where the layer has no grid.
    """

    values: Float[np.ndarray, "m k"]
    pictures: Int[np.ndarray, "m k"]
    positions: Int[np.ndarray, "m k"]


@dataclass(frozen=True, eq=False)
class LayerExamples:
    """What was found for all channels of one layer.

    Attributes:
        layer: its name.
        grid: (h, w) of its positions; () where it has no spatial axes.
        reach: half the side, in pixels of the input, of the square around a position that holds most of the gradient of a unit there: its
            effective receptive field; None where that is the whole picture.
        top: the pictures on which the channel's largest value is largest, the best first; of equal ones the earlier picture.
        bottom: the pictures on which the channel's smallest value is smallest, the smallest first.
        strip: one picture of each stratum of a random sample of the pictures, by the channel's largest value, the lowest first.
        sampled: the largest value of each channel on each picture of that sample (s, m), in the order of the data set.
    """

    layer: str
    grid: tuple[int, ...]
    reach: float | None
    top: Ranked
    bottom: Ranked
    strip: Ranked
    sampled: Float[np.ndarray, "s m"]

    @property
    def channels(self) -> int:
        """How many channels the layer has."""
        return len(self.top.values)

    @cached_property
    def constant(self) -> Float[np.ndarray, " m"]:
        """The one value of a channel that gives the same at every position of every picture; NaN for all others."""
        highest, lowest = self.top.values[:, 0], self.bottom.values[:, 0]
        return np.where(highest == lowest, highest, np.nan)


@dataclass(frozen=True, eq=False)
class ChannelExamples:
    """What was found for one channel.

    Attributes:
        layer, channel: which.
        top: the best first.
        bottom: the lowest first.
        strip: from the lowest quantile to the highest.
        constant: the one value that the channel has everywhere; None for a channel that lives.
        sampled: its largest value on each picture of a random sample, ascending.
    """

    layer: str
    channel: int
    top: tuple[Example, ...]
    bottom: tuple[Example, ...]
    strip: tuple[Example, ...]
    constant: float | None
    sampled: Float[np.ndarray, " s"]

    def parts(self) -> tuple["Part", ...]:
        """Return the three rows that people look at, with a sentence in place of one that says nothing."""
        lowest = [example.value for example in self.bottom]
        equal = len(lowest) > 1 and lowest[0] == lowest[-1]
        instead = f"{len(lowest)} pictures or more have the same least value, {figures(lowest[0])}: there is no order among them"
        return (
            Part("strongest", self.top),
            Part("across all pictures, weak to strong", self.strip),
            Part("lowest", self.bottom, instead if equal else ""),
        )

    @property
    def remark(self) -> str:
        """What a reader must know about the strongest; empty where there is nothing."""
        if len(self.top) > 1 and self.top[0].value == self.top[-1].value:
            return f"at least {len(self.top)} pictures reach the same largest value, {figures(self.top[0].value)}; shown are the first"
        if self.top and self.top[0].value <= 0:
            return "never above 0 on any of the pictures"
        return ""


@dataclass(frozen=True)
class Part:
    """A row of examples.

    Attributes:
        name: which.
        examples: in order.
        instead: what is said in place of pictures that would say nothing.
    """

    name: str
    examples: tuple[Example, ...]
    instead: str = ""


@dataclass(frozen=True, eq=False)
class Source:
    """A picture that is an example of some channel.

    Attributes:
        name: for people.
        path: its file; None where the data was in memory.
        digest: of the content of the file, so that a picture that has changed since is not taken for it.
        label: index of its class, if known.
    """

    name: str
    path: str | None
    digest: str
    label: int | None = None


@dataclass(frozen=True, eq=False)
class Examples:
    """What a search through a data set found, for every channel of the layers.

    Attributes:
        layers: by name.
        sources: the pictures that are examples of some channel, by their number in the data set.
        view: how a picture becomes the network's input.
        seen: how many different pictures were looked at.
        broken: what is wrong with the pictures that could not be used, by name.
        duplicates: pictures that are nearly the same as an earlier one, with that one's name; they were left out.
        about: network, settings, versions.
        ready: prepared samples of data that was in memory; not saved.
    """

    layers: Mapping[str, LayerExamples]
    sources: Mapping[int, Source]
    view: View
    seen: int
    broken: Mapping[str, str] = field(default_factory=dict)
    duplicates: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    ready: Sequence[Sample] | None = None

    def layer(self, name: str | None = None) -> LayerExamples:
        """Return what was found for a layer; the only one if no name is given.

        Raises:
            LayerError: the layer was not searched, or none is named where there are several.
        """
        if name is None and len(self.layers) == 1:
            return next(iter(self.layers.values()))
        if name is None or name not in self.layers:
            near = "" if name is None else nearest(name, list(self.layers))
            raise LayerError(
                f"{'name a layer' if name is None else f'layer {name!r} was not searched'}; searched were {', '.join(self.layers)}"
                + (f"; nearest: {near}" if near else "")
            )
        return self.layers[name]

    def of(self, layer: str | None, channel: int) -> ChannelExamples:
        """Return the examples of one channel.

        Raises:
            LayerError: the layer was not searched.
            ConfigError: the layer has no such channel.
        """
        found = self.layer(layer)
        if not 0 <= channel < found.channels:
            raise ConfigError(f"layer {found.layer!r} has channels 0 to {found.channels - 1}, got {channel}")
        constant = float(found.constant[channel])
        top = self._listed(found.top, channel, found.grid, [1 - rank / self.seen for rank in range(found.top.values.shape[1])])
        rungs = found.strip.values.shape[1]
        strip = self._listed(found.strip, channel, found.grid, [(rung + 0.5) / rungs for rung in range(rungs)])
        return ChannelExamples(
            found.layer,
            channel,
            top,
            self._listed(found.bottom, channel, found.grid, None),
            strip,
            None if np.isnan(constant) else constant,
            np.sort(found.sampled[:, channel]),
        )

    def _listed(
        self, ranked: Ranked, channel: int, grid: tuple[int, ...], quantiles: Sequence[float] | None
    ) -> tuple[Example, ...]:
        made = []
        places = zip(ranked.values[channel], ranked.pictures[channel], ranked.positions[channel], strict=True)
        for rank, (value, picture, position) in enumerate(places):
            if picture == NOBODY:
                continue
            source = self.sources[int(picture)]
            where = tuple(map(int, np.unravel_index(int(position), grid))) if position != NOBODY else None
            share = None if quantiles is None else float(quantiles[rank])
            made.append(Example(source.name, int(picture), float(value), where, share, source.label))
        return tuple(made)

    def patch(self, layer: str | None, example: Example) -> Patch:
        """Return the part of the network's input that a unit at the example's position sees: its effective receptive field."""
        found = self.layer(layer)
        return Patch.around(example.position, found.grid, found.reach, self.view.size)

    def picture(self, example: Example) -> Image.Image:
        """Return the whole source picture, upright; a view of the input where the data was in memory.

        Raises:
            DataError: the file is gone, or has changed since the search.
            ConfigError: the data was in memory, and is not stored with what was loaded.
        """
        source = self.sources[example.picture]
        if source.path is not None:
            return unchanged_picture(Path(source.path), source.digest)
        if self.ready is None:
            raise ConfigError(f"{source.name} was in memory when it was searched, and is not stored with its results")
        return ready_picture(self.ready[example.picture], self.view)

    def crop(self, example: Example, layer: str | None = None) -> Image.Image:
        """Return what the unit sees of the source picture, at the source's resolution.

        Args:
            example: one that `of` gave.
            layer: the layer of the channel; the only one that was searched if None.
        """
        return self._cut(self.picture(example), example, layer)

    def crops(self, examples: Sequence[Example], layer: str | None = None, side: int = 104) -> list[Image.Image]:
        """Return small crops of many examples, as large as a square of this side allows; each picture is read once."""
        made: dict[int, Image.Image] = {}
        rows = sorted(range(len(examples)), key=lambda row: examples[row].picture)
        for _, same in groupby(rows, key=lambda row: examples[row].picture):
            several = list(same)
            picture = self.picture(examples[several[0]])
            made |= {row: fitted(self._cut(picture, examples[row], layer), side) for row in several}
        return [made[row] for row in range(len(examples))]

    def sheet(self, channels: Sequence[int], layer: str | None = None, side: int = 104) -> Image.Image:
        """Draw the examples of some channels: the strongest, one of each stratum, the lowest, each with its value.

        Raises:
            ConfigError: the layer has no such channel, or none is named.
        """
        found = self.layer(layer)
        groups = [self._group(self.of(found.layer, channel), side) for channel in channels]
        sees = "the whole picture" if found.reach is None else f"{2 * found.reach:.0f} pixels of the input across"
        notes = (
            f"each crop is what a unit of the layer sees around its position, {sees}; {self.seen} different pictures were searched",
        )
        return strips(groups, cell=side, title=f"{found.layer}: natural examples", notes=notes)

    def _group(self, one: ChannelExamples, side: int) -> Group:
        if one.constant is not None:
            sentence = f"gives {figures(one.constant)} at every position of every picture"
            return Group(f"channel {one.channel}", [Strip("nothing", instead=sentence)])
        rows = []
        for part in one.parts():
            pictures = [] if part.instead else self.crops(part.examples, one.layer, side)
            captions = [figures(example.value) for example in part.examples]
            rows.append(Strip(part.name, list(zip(pictures, captions, strict=False)), part.instead))
        return Group(f"channel {one.channel}", rows, one.remark)

    def _cut(self, picture: Image.Image, example: Example, layer: str | None) -> Image.Image:
        height, width = self.view.size[-2:]
        ready = self.sources[example.picture].path is None and picture.size == (width, height)
        shown = Geometry((height, width), (0, 0, height, width), (height, width)) if ready else None
        geometry = shown or self.view.geometry((picture.height, picture.width))
        return picture.crop(self.patch(layer, example).in_source(geometry))
