"""The activations that a dictionary is fitted on: of positions of the layer, or of crops of the pictures."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from seewhy.core.needs import Needs
from seewhy.data.features import Features
from seewhy.data.shelf import Shelf, key_of
from seewhy.engine.passes import upcast
from seewhy.engine.session import Session
from seewhy.errors import ConfigError

BATCH = 16
"""Crops of a pass."""
NUMBERS = 10_000_000
"""Rows times channels that what is slow is fitted on: 7,812 activations of 1,280 channels."""


def drawn(rows: Float[Tensor, "m c"], most: int, seed: int) -> Float[Tensor, "l c"]:
    """Return the rows, or so many of them, drawn at random, in their order."""
    if len(rows) <= most:
        return rows
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:most]
    return rows[chosen.sort().values]


def affordable(rows: Float[Tensor, "m c"], seed: int) -> Float[Tensor, "l c"]:
    """Return the rows, or of very long ones so many that there are at most `NUMBERS` numbers."""
    return drawn(rows, max(NUMBERS // rows.shape[1], 1), seed)


class Source(ABC):
    """Where the rows come from that a dictionary is fitted on. Subclasses are frozen dataclasses."""

    key: ClassVar[str]

    @abstractmethod
    def rows(self, features: Features, most: int, seed: int) -> Float[Tensor, "m c"]:
        """Return at most so many activations, all if there are fewer."""

    @property
    def settings(self) -> dict[str, Any]:
        """What it was, as plain values, for the dictionary's settings."""
        return {"source": self.key}


@dataclass(frozen=True)
class Positions(Source):
    """Each position of the layer (a patch of the picture, a token) is a row. It costs no pass through the network."""

    key: ClassVar = "positions"

    def rows(self, features: Features, most: int, seed: int) -> Float[Tensor, "m c"]:
        """Return positions of all pictures."""
        return drawn(features.rows, most, seed)


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
        cache: folder where the rows are kept, under everything that they depend on.
    """

    session: Session
    share: float = 0.4
    stride: float = 0.8
    most: int = 2000
    cache: str | Path | None = None

    key: ClassVar = "crops"

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not 0 < self.stride <= 1 or self.most < 1:
            raise ConfigError(
                f"crops have share and stride above 0 and at most 1, and there is at least one; got {self.share}, {self.stride}, {self.most}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Source and size of the squares."""
        return {"source": self.key, "share": self.share, "stride": self.stride, "most": self.most}

    def rows(self, features: Features, most: int, seed: int) -> Float[Tensor, "m c"]:
        """Return what the layer gives for crops of all pictures.

        Raises:
            ConfigError: the network's inputs have no height and width.
            DataError: the pictures can no longer be read.
        """
        if len(features.size) != 2:
            raise ConfigError(f"crops are cut from inputs with height and width, these are of size {features.size}")
        settings = {**self.settings, "fit": features.fit, "seed": seed, "rows": most}
        key = key_of(features.fingerprint, [features.layer], {**settings, "pictures": list(features.data.names)})
        shelf = None if self.cache is None else Shelf(Path(self.cache), "crops", key)
        found = None if shelf is None else shelf.get()
        if found is not None:
            return found[0]["rows"]
        made = self._made(features, min(most, self.most), seed)
        if shelf is not None:
            shelf.put({"rows": made}, {})
        return made

    def _made(self, features: Features, most: int, seed: int) -> Float[Tensor, "m c"]:
        boxes = squares((features.size[0], features.size[1]), self.share, self.stride)
        places = drawn(torch.arange(len(features) * len(boxes))[:, None], most, seed)[:, 0].tolist()
        found = []
        pending: list[Tensor] = []
        for crop in self._crops(features, boxes, places):
            pending.append(crop)
            if len(pending) == BATCH:
                found.append(self._pooled(torch.stack(pending), features.layer))
                pending = []
        if pending:
            found.append(self._pooled(torch.stack(pending), features.layer))
        return torch.cat(found)

    def _crops(
        self, features: Features, boxes: list[tuple[int, int, int]], places: list[int]
    ) -> Iterator[Float[Tensor, "c h w"]]:
        wanted: dict[int, list[int]] = {}
        for place in places:
            wanted.setdefault(place // len(boxes), []).append(place % len(boxes))
        pictures = features.data.part(list(wanted))
        for batch in pictures.batches(self.session.model, BATCH, features.fit, light=True):
            for row, inputs in zip(batch.places, batch.inputs, strict=True):
                for number in list(wanted.values())[row]:
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
