"""What a layer and the network give for each picture of a data set: computed once, shared by all that need it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.method import AUTO
from seewhy.core.needs import Needs
from seewhy.data.dataset import Dataset, dataset
from seewhy.data.shelf import Fingerprint, Shelf, key_of
from seewhy.engine.black_box import is_black_box
from seewhy.engine.grid import Grid, raw_with
from seewhy.engine.head import Head
from seewhy.engine.model import Fit
from seewhy.engine.passes import upcast
from seewhy.engine.session import Session
from seewhy.errors import DataError, LayerError

Progress = Callable[[int, int], None]
"""Is told how many pictures are done, of how many."""
Kept = tuple[dict[str, Tensor], dict[str, Any]]
"""What is put away of a layer: tensors by name, and facts."""

ROWS = 16
"""Pictures of a pass: a number that is not measured, as the last bits of an activation may depend on it."""
LARGEST = 1 << 32
"""Bytes of activations that are kept at most."""


@dataclass(frozen=True, eq=False)
class Features:
    """What a layer, and the network, give for each picture of a data set.

    Attributes:
        layer: its name.
        raw: activations (n, ...) in the layer's own layout, float32, on the CPU.
        grid: how positions lie in the picture; None where the layer gives one number per channel.
        outputs: the network's answers (n, k).
        labels: index of each picture's class, -1 where it is not known.
        data: the pictures, those that could be read, in the same order.
        fingerprint: contents of the pictures, weights, preprocessing.
        size: of the network's input, (h, w) or more axes.
        fit: how pictures were fitted; None is the model's own way.
    """

    layer: str
    raw: Float[Tensor, "n ..."]
    grid: Grid | None
    outputs: Float[Tensor, "n k"]
    labels: Int[Tensor, " n"]
    data: Dataset
    fingerprint: Fingerprint
    size: tuple[int, ...]
    fit: Fit | None = None

    def __len__(self) -> int:
        return len(self.raw)

    @cached_property
    def activation(self) -> Float[Tensor, "n c *spatial"]:
        """What the layer gives, channels first; (n, c) where it has no positions."""
        return self.raw if self.grid is None else self.grid.apply(self.raw)

    @cached_property
    def pooled(self) -> Float[Tensor, "n c"]:
        """The mean over the positions."""
        return self.activation.flatten(2).mean(dim=2) if self.activation.dim() > 2 else self.activation

    @property
    def channels(self) -> int:
        """How many channels the layer has."""
        return self.activation.shape[1]

    @property
    def cells(self) -> tuple[int, ...]:
        """The spatial axes of the layer; () where it has none."""
        return tuple(self.activation.shape[2:])

    @cached_property
    def rows(self) -> Float[Tensor, "m c"]:
        """Every position of every picture as a row, picture after picture."""
        return self.activation.flatten(2).transpose(1, 2).flatten(0, 1) if self.cells else self.activation

    @property
    def predicted(self) -> Int[Tensor, " n"]:
        """The class that the network predicts for each picture."""
        return self.outputs.argmax(dim=1)

    def with_activation(self, activation: Float[Tensor, "n c *spatial"]) -> Float[Tensor, "n ..."]:
        """Return what the layer would hand on in its own layout, had it given this on its grid; tokens without a place stay."""
        return raw_with(self.raw, self.grid, activation)

    def part(self, places: Int[Tensor, " m"] | Sequence[int]) -> "Features":
        """Return the features of some pictures, in this order."""
        chosen = torch.as_tensor(places, dtype=torch.long)
        return replace(
            self,
            raw=self.raw[chosen],
            outputs=self.outputs[chosen],
            labels=self.labels[chosen],
            data=self.data.part(chosen.tolist()),
        )

    def head(self, session: Session) -> Head:
        """Return what the network does behind the layer, on its own; see `Head.of`."""
        first = next(self.data.part(range(min(2, len(self)))).batches(session.model, 2, self.fit))
        return Head.of(session.network, self.layer, first.inputs)


def features(
    session: Session,
    source: object,
    layer: str = AUTO,
    *,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Features:
    """Return what a layer and the network give for each picture; one pass over them, or none where that is in the cache.

    Args:
        session: runs the network.
        source: as `seewhy.data.dataset.dataset` takes it; `Features` come back as they are.
        layer: name of a layer with positions, or with one number per channel; "auto" is the one that methods look at.
        fit: how pictures are fitted.
        cache: folder where the result is kept, under everything that it depends on: contents, weights, preprocessing, layer, versions.
        progress: is told how far it is.

    Raises:
        LayerError: no such layer, or one whose output is neither channels at places nor one number per channel.
        DataError: no picture can be read, the activations would not fit into memory, or the file in the cache is damaged.
    """
    if isinstance(source, Features):
        return _unchanged(source, session, layer)
    (found,) = features_of(session, source, (layer,), fit=fit, cache=cache, progress=progress)
    return found


def features_of(
    session: Session,
    source: object,
    layers: Sequence[str],
    *,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Features, ...]:
    """Return the features of several layers, in their order: one pass over the pictures for all that are not in the cache; see `features`."""
    asked = _Asked.of(session, source, fit)
    names = [_named(session, layer, asked.first) for layer in layers]
    shelves = {} if cache is None else {name: asked.shelf(Path(cache), name) for name in names}
    found = {name: kept for name, shelf in shelves.items() if (kept := shelf.get()) is not None}
    missing = [name for name in dict.fromkeys(names) if name not in found]
    for name, made in (_computed(session, asked.data, missing, fit, progress) if missing else {}).items():
        found[name] = made
        if name in shelves:
            shelves[name].put(*made)
    return tuple(asked.features(name, found[name]) for name in names)


def kept_features(
    session: Session, source: object, layer: str, *, fit: Fit | None = None, cache: str | Path
) -> Features | None:
    """Return the features of a layer where the cache holds them, None where it does not; no pass is made. See `features`."""
    asked = _Asked.of(session, source, fit)
    kept = asked.shelf(Path(cache), layer).get()
    return None if kept is None else asked.features(layer, kept)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Pictures whose features are asked for, and what these depend on.

    Attributes:
        data: the pictures.
        fit: how they are fitted.
        first: the first that can be read, as the network takes it.
        fingerprint: contents, weights, preprocessing.
    """

    data: Dataset
    fit: Fit | None
    first: Float[Tensor, "1 c *spatial"]
    fingerprint: Fingerprint

    @classmethod
    def of(cls, session: Session, source: object, fit: Fit | None) -> "_Asked":
        if is_black_box(session.network.module):
            raise LayerError(f"{session.model.title} is a black box, which has no layers to look into")
        data = dataset(source, session.model)
        if not len(data):
            raise DataError("there are no pictures in the data set")
        first = next(data.batches(session.model, 1, fit)).inputs
        return cls(data, fit, first, Fingerprint.of(data, session.model))

    def shelf(self, cache: Path, layer: str) -> Shelf:
        """Return where features are kept: whether a way of fitting is the model's own, or was asked for, is all the same."""
        seen = dict(self.fingerprint.preprocessing)
        seen["fit"] = self.fit or seen["fit"]
        return Shelf(cache, "features", key_of(replace(self.fingerprint, preprocessing=seen), [layer], {}))

    def features(self, layer: str, kept: Kept) -> Features:
        """Return features from what was put away."""
        tensors, facts = kept
        self.data.broken.update(facts["broken"])
        grid = facts["grid"] and Grid(tuple(facts["grid"]["size"]), facts["grid"]["form"], facts["grid"]["extra"])
        return Features(
            layer,
            tensors["raw"],
            grid,
            tensors["outputs"],
            tensors["labels"],
            self.data.part(tensors["places"].tolist()),
            self.fingerprint,
            tuple(self.first.shape[2:]),
            self.fit,
        )


def _named(session: Session, layer: str, first: Tensor) -> str:
    return session.network.target_layer(session.network.accept(first)) if layer == AUTO else layer


def _unchanged(given: Features, session: Session, layer: str) -> Features:
    if layer not in (AUTO, given.layer):
        raise LayerError(f"the features are those of layer {given.layer!r}, asked is {layer!r}; compute them anew")
    return given


def _computed(
    session: Session, data: Dataset, layers: Sequence[str], fit: Fit | None, progress: Progress | None
) -> dict[str, Kept]:
    """Make one pass over the pictures; return what each layer gave."""
    raw: dict[str, Tensor] = {}
    grids: dict[str, Grid | None] = {}
    outputs: list[Tensor] = []
    labels: list[Tensor] = []
    places: list[int] = []
    for batch in data.batches(session.model, ROWS, fit, light=True):
        made = session.network.forward(session.network.accept(batch.inputs), Needs(outputs=frozenset(layers)))
        for layer in layers:
            grids[layer] = made.grids[layer]
            given = upcast(made.nodes[layer].detach()).float().cpu()
            _check(layer, given, grids[layer], len(batch.places), len(data))
            given = given if grids[layer] is not None else given.flatten(1)
            if layer not in raw:  # all of it at once, so that nothing is in memory twice
                raw[layer] = given.new_empty(len(data), *given.shape[1:])
            _put(layer, given, raw[layer], len(places))
        outputs.append(upcast(made.reading.output.detach()).float().cpu().flatten(1))
        labels.append(batch.labels)
        places += batch.places
        if progress is not None:
            progress(len(places), len(data))
    shared = {"outputs": torch.cat(outputs), "labels": torch.cat(labels), "places": torch.tensor(places)}
    return {
        layer: (
            {"raw": raw[layer][: len(places)], **shared},
            {"grid": None if (grid := grids[layer]) is None else asdict(grid), "broken": dict(data.broken)},
        )
        for layer in layers
    }


def _put(layer: str, given: Float[Tensor, "b ..."], whole: Float[Tensor, "n ..."], begin: int) -> None:
    """Put what a layer gave for some pictures in its place among that of all."""
    if whole.shape[1:] != given.shape[1:]:
        raise LayerError(
            f"layer {layer!r} puts out {tuple(whole.shape[1:])} for one picture and {tuple(given.shape[1:])} for another; "
            "features are of one shape, so choose another layer"
        )
    whole[begin : begin + len(given)] = given


def _check(layer: str, given: Tensor, grid: Grid | None, rows: int, pictures: int) -> None:
    if len(given) != rows or (grid is None and max(given.shape[1:], default=0) != given[0].numel()):
        raise LayerError(
            f"layer {layer!r} puts out {tuple(given.shape)}: neither channels at places of the picture nor one number per channel; "
            "choose another with `seewhy layers`"
        )
    wanted = given[0].numel() * given.element_size() * pictures
    if wanted > LARGEST:
        raise DataError(
            f"layer {layer!r} gives {wanted >> 20} MiB for {pictures} pictures, more than the {LARGEST >> 20} MiB that are kept; "
            "take fewer pictures, or a later layer"
        )
