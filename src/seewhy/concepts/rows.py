"""The activations that a dictionary is fitted on: of positions of the layer, or of crops of the pictures."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from seewhy.core.needs import Needs
from seewhy.data.features import Features
from seewhy.data.shelf import Shelf, key_of, network_digest
from seewhy.engine.passes import upcast
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, DataError, ModelError

BATCH = 16
"""Crops of a pass."""
NUMBERS = 10_000_000
"""Rows times channels that what is slow is fitted on: 7,812 activations of 1,280 channels."""


def drawn(rows: Float[Tensor, "m c"], most: int, seed: int) -> Float[Tensor, "l c"]:
    """Return the rows, or so many of them, drawn at random, in their order."""
    return rows if len(rows) <= most else rows[numbers(len(rows), most, seed)]


def numbers(count: int, most: int, seed: int) -> Int[Tensor, " l"]:
    """Return the numbers below a count, or so many of them, drawn at random, in their order."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].sort().values


def affordable(rows: Float[Tensor, "m c"], seed: int) -> Float[Tensor, "l c"]:
    """Return the rows, or of very long ones so many that there are at most `NUMBERS` numbers."""
    return drawn(rows, max(NUMBERS // rows.shape[1], 1), seed)


class Placed(NamedTuple):
    """Activations, and where they are from.

    Attributes:
        rows: activations.
        pictures: number of the picture of each, among the features.
    """

    rows: Float[Tensor, "m c"]
    pictures: Int[Tensor, " m"]


class Source(ABC):
    """Where the rows come from that a dictionary is fitted on. Subclasses are frozen dataclasses."""

    key: ClassVar[str]

    @abstractmethod
    def placed(self, features: Features, most: int, seed: int) -> Placed:
        """Return at most so many activations, all if there are fewer, each with its picture."""

    def rows(self, features: Features, most: int, seed: int) -> Float[Tensor, "m c"]:
        """Return at most so many activations, all if there are fewer."""
        return self.placed(features, most, seed).rows

    @property
    def settings(self) -> dict[str, Any]:
        """What it was, as plain values, for the dictionary's settings."""
        return {"source": self.key}


@dataclass(frozen=True)
class Positions(Source):
    """Each position of the layer (a patch of the picture, a token) is a row. It costs no pass through the network."""

    key: ClassVar = "positions"

    def placed(self, features: Features, most: int, seed: int) -> Placed:
        """Return positions of all pictures."""
        chosen = numbers(len(features.rows), most, seed)
        return Placed(features.rows[chosen], chosen // (len(features.rows) // len(features)))


POSITIONS = Positions()


@dataclass(frozen=True, eq=False)
class Crops(Source):
    """Squares of the pictures, each made as large as a whole picture, run through the network and averaged over the layer's positions.

    A row then holds what the network finds in a part when it sees nothing else; a position also holds what surrounds it, as far as the network looks.
    It costs one pass for each crop. Squares overlap and cover the picture; of too many, some are drawn.

    Source: Fel et al. 2023 (CRAFT), arXiv 2211.10154, section 3.1.
    Limits: a crop is blurred by being enlarged, and a part without its surroundings may be nothing that the network ever saw.

    Args:
        session: runs the network.
        share: side of a square, as a share of the shorter side of the network's input.
        stride: from one square to the next, as a share of a square.
        most: crops at most.
        seed: of the draw.
        cache: folder where the rows are kept, under everything that they depend on.
        made: what was computed already, by what it depends on.
    """

    session: Session
    share: float = 0.4
    stride: float = 0.8
    most: int = 2000
    seed: int = 0
    cache: str | Path | None = None
    made: dict[str, Placed] = field(default_factory=dict, init=False, repr=False)

    key: ClassVar = "crops"

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not 0 < self.stride <= 1 or self.most < 1:
            raise ConfigError(
                f"crops have share and stride above 0 and at most 1, and there is at least one; got {self.share}, {self.stride}, {self.most}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Source and size of the squares."""
        return {"source": self.key, "share": self.share, "stride": self.stride, "most": self.most, "drawn": self.seed}

    def placed(self, features: Features, most: int, seed: int) -> Placed:
        """Return what the layer gives for crops of all pictures.

        Raises:
            ConfigError: the network's inputs have no height and width.
            DataError: a picture can no longer be read.
            ModelError: the session's network is another one than the features are of.
        """
        if len(features.size) != 2:
            raise ConfigError(f"crops are cut from inputs with height and width, these are of size {features.size}")
        if network_digest(self.session.model.module) != features.fingerprint.network:
            raise ModelError(
                "the session's network is another one than the features are of; cut crops with the session that made them"
            )
        about = {**self.settings, "fit": features.fit, "pictures": list(features.data.names)}
        key = key_of(features.fingerprint, [features.layer], about)
        known = json.dumps(key, sort_keys=True)
        if known not in self.made:
            self.made[known] = self._kept(features, key)
        found = self.made[known]
        chosen = numbers(len(found.rows), most, seed)
        return Placed(found.rows[chosen], found.pictures[chosen])

    def _kept(self, features: Features, key: Mapping[str, Any]) -> Placed:
        shelf = None if self.cache is None else Shelf(Path(self.cache), "crops", key)
        found = None if shelf is None else shelf.get()
        if found is not None:
            return Placed(found[0]["rows"], found[0]["pictures"])
        made = self._computed(features)
        if shelf is not None:
            shelf.put(made._asdict(), {})
        return made

    def _computed(self, features: Features) -> Placed:
        boxes = squares((features.size[0], features.size[1]), self.share, self.stride)
        places = numbers(len(features) * len(boxes), self.most, self.seed)
        crops = self._crops(features, boxes, places.tolist())
        found: list[Tensor] = []
        while some := list(islice(crops, BATCH)):
            found.append(self._pooled(torch.stack(some), features.layer))
        if sum(map(len, found)) != len(places):
            gone = next((f": {why}" for why in features.data.broken.values()), "")
            raise DataError(f"some pictures could be read when their features were computed, and no longer can{gone}")
        return Placed(torch.cat(found), places // len(boxes))

    def _crops(
        self, features: Features, boxes: list[tuple[int, int, int]], places: list[int]
    ) -> Iterator[Float[Tensor, "c h w"]]:
        wanted: dict[int, list[int]] = {}
        for place in places:
            wanted.setdefault(place // len(boxes), []).append(place % len(boxes))
        pictures, chosen = features.data.part(list(wanted)), list(wanted.values())
        for batch in pictures.batches(self.session.model, BATCH, features.fit, light=True):
            for row, inputs in zip(batch.places, batch.inputs, strict=True):
                for number in chosen[row]:
                    top, left, side = boxes[number]
                    crop = inputs[None, :, top : top + side, left : left + side]
                    yield interpolate(crop, size=features.size, mode="bicubic", antialias=True, align_corners=False)[0]

    def _pooled(self, inputs: Float[Tensor, "b c h w"], layer: str) -> Float[Tensor, "b d"]:
        network = self.session.network
        made = network.forward(network.accept(inputs), Needs(outputs=frozenset({layer})))
        given, grid = upcast(made.nodes[layer].detach()).float().cpu(), made.grids[layer]
        return given.flatten(1) if grid is None else grid.apply(given).flatten(2).mean(dim=2)


def squares(size: tuple[int, int], share: float, stride: float) -> list[tuple[int, int, int]]:
    """Return squares (top, left, side) that cover a picture of this size, row by row; the outermost touch its border."""
    side = max(1, round(min(size) * share))
    tops, lefts = (_starts(length, side, side * stride) for length in size)
    return [(top, left, side) for top in tops for left in lefts]


def _starts(length: int, side: int, step: float) -> list[int]:
    count = 1 + max(0, -(-(length - side) // max(1, round(step))))
    return [round((length - side) * number / max(1, count - 1)) for number in range(count)]
