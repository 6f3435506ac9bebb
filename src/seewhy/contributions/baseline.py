"""What layers put out over many pictures: what stands in the place of a channel, a head or a block that is taken away."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.data.dataset import Dataset
from seewhy.engine.grid import Grid
from seewhy.engine.session import Session
from seewhy.errors import LayerError

MOST_PICTURES = 256
"""Pictures over which means are taken; of more, so many are taken evenly from their order."""

_ROWS = 8


@dataclass(frozen=True, eq=False)
class Baseline:
    """What one layer puts out over many pictures, in the layer's own layout.

    Attributes:
        mean: of each channel over pictures and positions (1, ...); it broadcasts to the layer's output. Tokens without a place (class,
            registers) have a mean of their own each.
        each: the mean over pictures alone (1, ...), position by position.
        zero: which channels are zero in all pictures (c,).
        axis: of the channels.
        pictures: how many.
    """

    mean: Float[Tensor, "1 ..."]
    each: Float[Tensor, "1 ..."]
    zero: Bool[Tensor, " c"]
    axis: int
    pictures: int


def baselines(session: Session, data: Dataset, layers: Iterable[str]) -> dict[str, Baseline]:
    """Look at what layers put out, in one pass over the data or an even part of it.

    Args:
        session: runs the network.
        data: the pictures.
        layers: names; "encoder:in" is what a layer is given.

    Raises:
        LayerError: no such layer, or its output has other axes for other pictures.
    """
    names = tuple(dict.fromkeys(layers))
    sums = {name: _Sum(name) for name in names}
    for batch in even_part(data, MOST_PICTURES).batches(session.model, _ROWS):
        needs = Needs(outputs=frozenset(names))
        made = session.block(session.network.accept(batch.inputs), needs).shared
        for name in names:
            sums[name].add(made.nodes[name].detach(), made.grids[name], len(batch.places))
    return {name: sums[name].baseline() for name in names}


def even_part(data: Dataset, most: int) -> Dataset:
    """Return the data, or so many pictures at even distances in its order: folders are sorted, so that classes keep their shares."""
    return data if len(data) <= most else data.part(even_places(len(data), most))


def even_places(count: int, most: int) -> list[int]:
    """Return the numbers of so many of `count` things at even distances; of all where there are no more."""
    return [place * count // most for place in range(most)] if count > most else list(range(count))


def baseline_of(layer: str, raw: Float[Tensor, "n ..."], grid: Grid | None) -> Baseline:
    """Return the same of a layer whose output for some pictures is known, in its own layout."""
    total = _Sum(layer)
    for rows in torch.split(raw, _ROWS):
        total.add(rows, grid, len(rows))
    return total.baseline()


def channel_axis(shape: Sequence[int], grid: Grid | None, name: str) -> int:
    """Return which axis of a layer's output is that of the channels.

    Without a grid: the only one of (b, c), the last of tokens or windows (rows, n, c), the first of (b, c, h, w).
    """
    if grid is not None:
        return 1 if grid.form in ("channel-first", "flat") else len(shape) - 1
    if len(shape) < 2:
        raise LayerError(f"layer {name!r} puts out {tuple(shape)}, which has no channels; choose another layer")
    return 2 if len(shape) == 3 else 1


class _Sum:
    """Adds up what one layer puts out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._total: Tensor | None = None
        self._zero: Tensor | None = None
        self._axis = self._pictures = self._rows = 0
        self._grid: Grid | None = None

    def add(self, made: Tensor, grid: Grid | None, pictures: int) -> None:
        """Add the outputs for some pictures; positions are kept apart until the end."""
        axis = channel_axis(made.shape, grid, self._name)
        total = made.double().sum(dim=0, keepdim=True).cpu()
        zero = (made == 0).movedim(axis, 0).flatten(1).all(dim=1).cpu()
        if self._total is None or self._zero is None:
            self._total, self._zero = torch.zeros_like(total), torch.ones_like(zero)
        if total.shape != self._total.shape:
            raise LayerError(
                f"layer {self._name!r} puts out {tuple(total.shape[1:])} for one picture and {tuple(self._total.shape[1:])} for another; "
                "a mean is taken over outputs of one shape, so choose another layer"
            )
        self._total, self._zero = self._total + total, self._zero & zero
        self._axis, self._grid = axis, grid
        self._pictures += pictures
        self._rows += len(made)

    def baseline(self) -> Baseline:
        """Return the means over pictures and positions."""
        if self._total is None or self._zero is None:
            raise LayerError(f"layer {self._name!r} was asked about no picture")
        each = self._total / self._rows
        extra = 0 if self._grid is None else self._grid.extra
        axes = [axis for axis in range(1, each.dim()) if axis != self._axis]
        if not axes:
            return Baseline(each, each, self._zero, self._axis, self._pictures)
        placed = each.narrow(axes[0], extra, each.shape[axes[0]] - extra)
        mean = placed.mean(dim=axes, keepdim=True)
        if extra:
            mean = torch.cat([each.narrow(axes[0], 0, extra), mean.expand_as(placed)], dim=axes[0])
        return Baseline(mean, each, self._zero, self._axis, self._pictures)
