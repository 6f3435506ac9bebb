"""One pass over many pictures: which of them does each channel of some layers like best, which least, and what lies between?"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.data.dataset import Batch, Dataset, content_digest, content_of
from seewhy.data.picture import sample as read_sample
from seewhy.data.shelf import Fingerprint, Shelf, key_of
from seewhy.engine.anatomy import sample_of
from seewhy.engine.black_box import is_black_box
from seewhy.engine.model import Fit
from seewhy.engine.network import Network
from seewhy.engine.recording import layer_of
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, DataError, LayerError
from seewhy.visualization.examples import Examples
from seewhy.visualization.extremes import ChannelValues, strata
from seewhy.visualization.patches import Field, View
from seewhy.visualization.ranked import LayerExamples, Ranked, Source
from seewhy.visualization.receptive_field import effective_field
from seewhy.visualization.tally import Tally

Progress = Callable[[int, int], None]
"""Is told how many pictures are done, of how many."""

EYES = 6
"""Units of a layer whose gradients its effective receptive field is measured on."""

SLOWEST = 20.0
"""A search that takes a second to put away is not put away again within so many."""

SAME = 1e-3
"""How far the network's activations may be from those of a search that was put away, as a share of the largest, to be the same network."""


@dataclass(frozen=True)
class Search:
    """How examples are looked for.

    Args:
        top: how many pictures are kept at either end of each channel.
        rungs: how many strata the sample of all pictures is divided into; one picture is shown of each.
        sample: how many pictures the random sample holds.
        distinct: leave out pictures that are nearly the same as an earlier one. Switch it off for pictures that differ in fine detail only,
            such as gratings.
        fit: how pictures are fitted; the model's own way if None.
        rows: pictures per pass. The last bits of an activation may depend on it, so it is not measured.
        seed: of the random sample.
        save: seconds between two savings of a search that has a cache, or more where they take long.
    """

    top: int = 9
    rungs: int = 9
    sample: int = 256
    distinct: bool = True
    fit: Fit | None = None
    rows: int = 8
    seed: int = 0
    save: float = 10.0

    def __post_init__(self) -> None:
        for name in ("top", "rungs", "sample", "rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is at least 1, got {getattr(self, name)}")


def search(  # noqa: PLR0917 (three say what is searched, three how)
    session: Session,
    data: Dataset,
    layers: Sequence[str],
    how: Search | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Examples:
    """Find the examples of every channel of some layers, in one pass over the pictures.

    What a channel gives for a picture is its largest value over the layer's positions, in float32; the bottom is ranked by the
    smallest. Of equal pictures the earlier one stands first. Memory does not depend on the number of pictures, but for 36 bytes each by which
    near-duplicates are known. The network runs up to the last of the layers, with merged norms where that leaves them as they are: values agree
    with those of the plain network to rounding.

    Args:
        session: holds the network.
        data: the pictures.
        layers: names of layers.
        how: how many examples, and of what.
        cache: folder where the search is put away while it runs and when it is done; a search that was killed goes on from there, one that is done is
            not made again. It is known by the contents of the pictures, weights, preprocessing, layers, settings and versions, and
            checked on one image. None puts nothing away.
        progress: is told how far it is.

    Raises:
        LayerError: no such layer, or one whose output is neither channels at places nor one number per channel.
        DataError: none of the pictures can be used.
    """
    how, layers = how or Search(), _checked(session, layers)
    network, probe = _watched(session, data, layers)
    tally = Tally(how.top, how.sample, distinct=how.distinct, seed=how.seed)
    shelf = None
    if cache is not None:
        shelf = Shelf(cache, "examples", key_of(Fingerprint.of(data, session.model), layers, _settings(how)))
    fields = {} if shelf is None else _taken_up(tally, shelf, probe)
    hunt = _Hunt(session, network, data, layers, how, tally, shelf, probe)
    if tally.place < len(data) or not fields:
        hunt.run(progress)
        fields = {name: hunt.field(name) for name in layers}
        hunt.put_away(fields)
    return hunt.examples(fields)


def channels_of(session: Session, data: Dataset, layers: Sequence[str]) -> dict[str, int]:
    """Return how many channels each layer has that `search` would search; raise `LayerError` as it would."""
    _, probe = _watched(session, data, _checked(session, layers))
    return {name: values.shape[1] for name, values in probe.items()}


def _checked(session: Session, layers: Sequence[str]) -> list[str]:
    if isinstance(layers, str):
        layers = [layers]
    if not layers:
        raise LayerError("name at least one layer; `seewhy layers` lists them")
    if is_black_box(session.network.module):
        raise LayerError(f"{session.model.title} is a black box, which has no layers to look into")
    for name in layers:
        layer_of(session.network.module, name)
    return list(dict.fromkeys(layers))


def _settings(how: Search) -> dict[str, Any]:
    return {name: value for name, value in asdict(how).items() if name not in ("save", "rungs")}


def _watched(session: Session, data: Dataset, layers: Sequence[str]) -> tuple[Network, dict[str, Tensor]]:
    """Return the network that runs, and what each channel of the layers gives, at most, for an image of noise."""
    image = session.network.accept(sample_of(_shape(session, data)))
    network = session.network.merged(image, frozenset(layers))
    given = _activations(network, image, layers)
    return network, {name: ChannelValues(value).largest for name, value in given.items()}


def _shape(session: Session, data: Dataset) -> tuple[int, ...]:
    if data.ready is not None:
        if not data.ready:
            raise DataError("there are no images in the data set")
        return tuple(data.ready[0].inputs.shape)
    size, mean, _ = session.model.needs_preprocessing()
    return (1 if session.model.channels == "grey" else max(3, len(mean)), *size)


def _activations(network: Network, inputs: Tensor, layers: Sequence[str]) -> dict[str, Float[Tensor, "b c *spatial"]]:
    """Return what the layers give, as (b, c, *spatial), or (b, c) where there are no positions."""
    made = network.forward(inputs, Needs(activations=frozenset(layers)), stop=True)
    found = {}
    for name in layers:
        value = made.reading.activation[name].detach()
        if made.grids[name] is None:
            if len(value) != len(inputs) or max(value.shape[1:], default=0) != value[0].numel():
                raise LayerError(
                    f"layer {name!r} puts out {tuple(value.shape)}: neither channels at places of the picture nor one number per channel; "
                    "choose another with `seewhy layers`"
                )
            value = value.flatten(1)
        found[name] = value
    return found


def _taken_up(tally: Tally, shelf: Shelf, probe: Mapping[str, Tensor]) -> dict[str, Field | None]:
    """Go on from what was put away; return the field of each layer where the search is done.

    A network whose code has changed under the same weights answers the image of noise otherwise; its search begins anew.
    """
    found = shelf.get()
    if found is None:
        return {}
    tensors, facts = found
    for name, now in probe.items():
        before = tensors.get(f"probe.{name}")
        if before is None or before.shape != now.shape or (before - now).abs().max() > SAME * now.abs().max():
            return {}
    tally.take_up(tensors, facts)
    return {name: kept and Field(kept[0], (kept[1], kept[2])) for name, kept in facts["fields"].items()}


@dataclass(frozen=True, eq=False)
class _Hunt:
    """One search: what it looks at, and what it has found."""

    session: Session
    network: Network
    data: Dataset
    layers: Sequence[str]
    how: Search
    tally: Tally
    shelf: Shelf | None
    probe: Mapping[str, Tensor]

    def run(self, progress: Progress | None) -> None:
        """Look at all pictures that the tally does not yet hold."""
        data, tally, how = self.data, self.tally, self.how
        saved, pause = time.monotonic(), how.save
        if progress is not None:
            progress(tally.place, len(data))
        for batch in data.batches(self.session.model, how.rows, how.fit, tally.place, marks=True, light=True):
            self._look(batch)
            tally.place = batch.places[-1] + 1
            if progress is not None:
                progress(tally.place, len(data))
            if (now := time.monotonic()) - saved >= pause:
                self.put_away({})
                saved = time.monotonic()
                pause = max(how.save, SLOWEST * (saved - now))
        tally.place = len(data)
        self._note_unread()
        if not tally.layers:
            first = next(iter(tally.broken.values()), "")
            raise DataError(f"none of the {len(data)} pictures can be used; the first: {first}")

    def _look(self, batch: Batch) -> None:
        rows = self.tally.new(batch)
        if rows:
            inputs = self.session.network.accept(torch.stack([batch.samples[row].inputs for row in rows]))
            given = _activations(self.network, inputs, self.layers)
            self.tally.see(given, [batch.places[row] for row in rows], [batch.marks[row] for row in rows])

    def _note_unread(self) -> None:
        if self.data.broken:
            place_of = {name: place for place, name in enumerate(self.data.names)}
            self.tally.broken |= {place_of[name]: why for name, why in self.data.broken.items()}

    def put_away(self, fields: Mapping[str, Field | None]) -> None:
        """Save the search where it has a cache."""
        if self.shelf is not None:
            self._note_unread()
            probe = {f"probe.{name}": values for name, values in self.probe.items()}
            self.shelf.put(
                self.tally.tensors() | probe,
                self.tally.facts() | {"fields": {name: _plain(field) for name, field in fields.items()}},
            )

    def field(self, name: str) -> Field | None:
        """Measure the effective receptive field of a layer, on units that are spread over its channels.

        Each is looked at where it is strong but not at its largest value ever: at a ceiling, such as that of ReLU6, nothing moves it.
        """
        layer, drawn = self.tally.layers[name], torch.tensor(self.tally.draw.pictures)
        if len(layer.grid) < 2:
            return None
        values, highest = layer.sampled.values, layer.top.values[0]
        below = values.where(values < highest, -torch.inf)
        rows = below.argmax(dim=0)
        alive = torch.isfinite(below.amax(dim=0)).nonzero()[:, 0]
        if not len(alive):
            return None
        channels = alive[torch.linspace(0, len(alive) - 1, min(EYES, len(alive))).round().long()]
        inputs = torch.stack([self._input(int(picture)) for picture in drawn[rows[channels]]])
        positions = layer.sampled.positions[rows[channels], channels]
        return effective_field(self.network, name, inputs, channels=channels, positions=positions, grid=layer.grid)

    def _input(self, picture: int) -> Tensor:
        if self.data.ready is not None:
            return self.data.ready[picture].inputs
        return read_sample((self.data.paths or ())[picture], self.session.model, self.how.fit).inputs

    def examples(self, fields: Mapping[str, Field | None]) -> Examples:
        """Return what was found."""
        layers = {name: self._layer(name, fields[name]) for name in self.layers}
        ids = {
            int(n)
            for found in layers.values()
            for part in (found.top, found.bottom, found.strip)
            for n in np.unique(part.pictures)
        }
        names = self.data.names
        return Examples(
            layers,
            {number: self._source(number) for number in sorted(ids - {-1})},
            View.of(self.session.model, _shape(self.session, self.data)[1:], self.how.fit),
            self.tally.seen,
            {names[place]: why for place, why in sorted(self.tally.broken.items())},
            {names[place]: names[earlier] for place, earlier in sorted(self.tally.doubles.items())},
            {**self.session.provenance, "settings": asdict(self.how)},
            self.data.ready,
        )

    def _source(self, number: int) -> Source:
        path = None if self.data.paths is None else self.data.paths[number]
        digest = "" if path is None else content_digest(content_of(path)).hex()
        return Source(self.data.names[number], None if path is None else str(path), digest, self.data.labels[number])

    def _layer(self, name: str, field: Field | None) -> LayerExamples:
        layer = self.tally.layers[name]
        sampled = layer.sampled
        rows = strata(sampled.values, self.how.rungs)
        pictures = torch.tensor(self.tally.draw.pictures).int()[rows]
        strip = _ranked(sampled.values.gather(0, rows), pictures, sampled.positions.gather(0, rows))
        top, bottom = (_ranked(end.sign * end.values, end.pictures, end.positions) for end in (layer.top, layer.bottom))
        return LayerExamples(name, layer.grid, field, top, bottom, strip, sampled.values.numpy())


def _ranked(values: Tensor, pictures: Tensor, positions: Tensor) -> Ranked:
    """Return (k, m) arrays as they are handed out; a place that nobody took has no value."""
    known = values.where(pictures >= 0, torch.nan)
    return Ranked(*(array.T.contiguous().numpy() for array in (known, pictures, positions)))


def _plain(field: Field | None) -> list[float] | None:
    return None if field is None else [field.reach, *field.shift]
