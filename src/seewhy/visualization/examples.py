"""Natural pictures that the channels of some layers like best and least, and a sample of everything between: the result of a search."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from PIL import Image

from seewhy import render
from seewhy.core.sample import Geometry, Sample
from seewhy.errors import ConfigError, DataError, LayerError, nearest
from seewhy.render.bar import figures
from seewhy.render.strips import Group, Strip, fitted, strips
from seewhy.visualization.patches import Field, Patch, View, ready_picture, unchanged_picture
from seewhy.visualization.ranked import NOBODY, ChannelExamples, Example, LayerExamples, Part, Ranked, Source

__all__ = ["ChannelExamples", "Example", "Examples", "LayerExamples", "Part", "Ranked", "Source"]

FORMAT = 1
"""Version of the file that `save` writes."""
MOST_BYTES = 1 << 31
"""A file that claims to hold more than this is not unpacked."""
_ENDS = ("top", "bottom", "strip")


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
        top = self._listed(
            found.top, channel, found.grid, [1 - rank / self.seen for rank in range(found.top.values.shape[1])]
        )
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

    @cached_property
    def _root(self) -> Path | None:
        """The folder that all pictures are in; None where there is none, as for data in memory."""
        folders = {Path(source.path).absolute().parent for source in self.sources.values() if source.path is not None}
        return Path(os.path.commonpath(folders)) if folders else None

    def brief(self, name: str) -> str:
        """Return the name of a picture without the folder that all pictures are in."""
        path = Path(name).absolute()
        return path.relative_to(self._root).as_posix() if self._root and path.is_relative_to(self._root) else name

    def sees(self, layer: str | None = None) -> str:
        """Return in words how much of the picture a unit of a layer looks at."""
        found, side = self.layer(layer), min(self.view.size[-2:])
        if found.field is None:
            return "the whole picture"
        across = f"about {2 * found.field.reach:.0f} pixels of the input across"
        return (
            across
            if 2 * found.field.reach < side
            else f"most of the picture, up to {found.field.reach:.0f} pixels of the input around its place"
        )

    def patch(self, layer: str | None, example: Example) -> Patch:
        """Return the part of the network's input that a unit at the example's position sees: its effective receptive field."""
        found = self.layer(layer)
        return Patch.around(example.position, found.grid, found.field, self.view.size)

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
        notes = (
            f"each crop is what a unit of the layer sees around its position: {self.sees(found.layer)}",
            f"{self.seen} different pictures were searched",
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

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON; a place that nobody takes is null."""
        return self._about() | {"layers": [_plain(found) for found in self.layers.values()]}

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write everything to an `.npz` file, or as numbers to a `.json` file; pictures are not in it, but found again by name and content.

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        if path.suffix == ".json":
            return render.write_bytes(path, json.dumps(self.numbers(), allow_nan=False).encode(), force=force)
        if path.suffix != ".npz":
            raise DataError(
                f"{path.name}: examples are written as .npz (all of it) or .json, not {path.suffix or 'without an ending'}"
            )
        buffer = BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **self._arrays())
        return render.write_bytes(path, buffer.getvalue(), force=force)

    @classmethod
    def load(cls, path: str | Path) -> "Examples":
        """Read what `save` wrote to an `.npz` file; nothing in the file is executed.

        Raises:
            DataError: no such file, or none of ours.
        """
        try:
            with ZipFile(path) as parts:
                if sum(part.file_size for part in parts.infolist()) > MOST_BYTES:
                    raise ValueError("it is too large")
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                if about["format"] != FORMAT:
                    raise ValueError(f"written in format {about['format']}, this version reads {FORMAT}")
                layers = {
                    str(fact["layer"]): _layer(arrays, number, fact) for number, fact in enumerate(about["layers"])
                }
        except FileNotFoundError:
            raise DataError(f"{path}: no such file") from None
        except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile) as error:
            raise DataError(f"{path}: no examples saved by seewhy ({error})") from error
        sources = {int(number): Source(**fact) for number, fact in about["sources"].items()}
        return cls(
            layers,
            sources,
            View.from_plain(about["view"]),
            about["seen"],
            about["broken"],
            about["duplicates"],
            about["provenance"],
        )

    def _about(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "seen": self.seen,
            "view": asdict(self.view),
            "sources": {str(number): asdict(source) for number, source in self.sources.items()},
            "broken": dict(self.broken),
            "duplicates": dict(self.duplicates),
            "provenance": dict(self.about),
        }

    def _arrays(self) -> dict[str, np.ndarray]:
        facts = [
            {"layer": one.layer, "grid": list(one.grid), "field": None if one.field is None else asdict(one.field)}
            for one in self.layers.values()
        ]
        arrays = {"about": np.frombuffer(json.dumps(self._about() | {"layers": facts}).encode(), np.uint8)}
        for number, found in enumerate(self.layers.values()):
            arrays[f"{number}.sampled"] = found.sampled
            for end in _ENDS:
                ranked: Ranked = getattr(found, end)
                arrays |= {f"{number}.{end}.{name}": value for name, value in vars(ranked).items()}
        return arrays


def _layer(arrays: Mapping[str, np.ndarray], number: int, fact: Mapping[str, Any]) -> LayerExamples:
    """Rebuild one layer of a saved result; raise `ValueError` where its arrays do not fit each other."""
    sampled = arrays[f"{number}.sampled"]
    ends: list[Ranked] = []
    for end in _ENDS:
        ranked = Ranked(*(arrays[f"{number}.{end}.{name}"] for name in ("values", "pictures", "positions")))
        shapes = {ranked.values.shape, ranked.pictures.shape, ranked.positions.shape}
        if len(shapes) > 1 or ranked.values.ndim != 2 or len(ranked.values) != sampled.shape[1]:
            raise ValueError(f"arrays of layer {fact['layer']!r} do not fit each other")
        ends.append(ranked)
    field = fact["field"] and Field(float(fact["field"]["reach"]), _pair(fact["field"]["shift"]))
    top, bottom, strip = ends
    return LayerExamples(str(fact["layer"]), tuple(map(int, fact["grid"])), field, top, bottom, strip, sampled)


def _pair(values: Sequence[Any]) -> tuple[float, float]:
    down, across = values
    return float(down), float(across)


def _plain(found: LayerExamples) -> dict[str, Any]:
    """Return one layer as plain values."""
    ends: dict[str, Any] = {}
    for end in _ENDS:
        ranked: Ranked = getattr(found, end)
        taken = ranked.pictures != NOBODY
        ends[end] = {
            "values": _listed(ranked.values, taken),
            "pictures": _listed(ranked.pictures, taken),
            "positions": _listed(ranked.positions, ranked.positions != NOBODY),
        }
    constant = [None if value != value else float(value) for value in found.constant]  # noqa: PLR0124 (NaN is not itself)
    return {
        "layer": found.layer,
        "grid": list(found.grid),
        "field": found.field and asdict(found.field),
        "constant": constant,
        **ends,
    }


def _listed(array: np.ndarray, taken: np.ndarray) -> list[list[float | None]]:
    """Return an array as lists, with None where nobody is."""
    return [
        [value if here else None for value, here in zip(values, row, strict=True)]
        for values, row in zip(array.tolist(), taken.tolist(), strict=True)
    ]
