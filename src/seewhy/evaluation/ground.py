"""A layer of a network and the natural pictures that its units are judged by: what the layer gives for them, in the few forms that are needed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from seewhy.contributions.known import Known
from seewhy.core.needs import Needs
from seewhy.data.dataset import Batch, Dataset
from seewhy.data.features import Features, kept_features
from seewhy.data.picture import sample
from seewhy.engine.model import Fit
from seewhy.engine.session import Session
from seewhy.errors import LayerError

ROWS = 8
"""Pictures that go through the network at once."""
Progress = Callable[[str, int, int], None]
"""Is told what is at work, how much is done, and how much there is."""


@dataclass(frozen=True, eq=False)
class Ground:
    """A layer of a network, and the natural pictures that its units are judged by.

    Attributes:
        session: runs the network.
        layer: with or without a grid.
        data: natural pictures.
        fit: how they are fitted; the model's own way if None.
        progress: is told what is at work, how much is done, and how much there is.
        known: what the layer gives for these pictures, where that is known: they then need not be looked at for it.
    """

    session: Session
    layer: str
    data: Dataset
    fit: Fit | None = None
    progress: Progress | None = None
    known: Known | None = None

    def remembering(self, cache: Path | None) -> "Ground":
        """Return the same with what a cache holds of the layer; as it is where there is nothing, or where something goes round the layer."""
        kept = cache and kept_features(self.session, self.data, self.layer, fit=self.fit, cache=cache)
        if not kept:
            return self
        try:
            known = Known.of(self.session, kept)
        except LayerError:  # the answer does not depend on the layer alone: what it gave is not enough
            return self
        return replace(self, data=kept.data, known=known)

    def thinned(self, most: int) -> "Ground":
        """Return the same with at most so many pictures, evenly spread over the data."""
        if len(self.data) <= most:
            return self
        places = torch.linspace(0, len(self.data) - 1, most).round().long().tolist()
        known = None if self.known is None else replace(self.known, features=self.known.features.part(places))
        return replace(self, data=_part(self.data, places), known=known)

    def tell(self, what: str, done: int) -> None:
        """Tell whoever watches how many pictures are done."""
        if self.progress is not None:
            self.progress(what, done, len(self.data))

    def inputs(self, place: int) -> Float[Tensor, "1 c *spatial"]:
        """Return one picture as the network takes it."""
        ready = self.data.ready
        made = sample((self.data.paths or ())[place], self.session.model, self.fit) if ready is None else ready[place]
        return made.inputs[None]

    def activations(self, layers: Sequence[str]) -> Iterator[tuple[Batch, Mapping[str, Tensor]]]:
        """Yield batches of pictures with what each layer gives for them; the network runs up to the last of the layers, unless that is known."""
        if self.known is not None and set(layers) == {self.layer} and self.known.features.grid is not None:
            for batch, found in self.remembered():
                yield batch, {self.layer: found.activation.double()}
            return
        for batch in self.data.batches(self.session.model, ROWS, self.fit):
            yield batch, seen_at(self.session, layers, batch.inputs)

    def remembered(self) -> Iterator[tuple[Batch, Features]]:
        """Yield batches of pictures, without the pictures, with what is known of the layer; none where nothing is."""
        if self.known is None:
            return
        for places in torch.split(torch.arange(len(self.known.features)), ROWS):
            some = self.known.features.part(places)
            yield Batch(tuple(places.tolist()), (), some.labels), some


def _part(data: Dataset, places: Sequence[int]) -> Dataset:
    return replace(
        data,
        names=tuple(data.names[place] for place in places),
        labels=tuple(data.labels[place] for place in places),
        paths=None if data.paths is None else tuple(data.paths[place] for place in places),
        ready=None if data.ready is None else tuple(data.ready[place] for place in places),
    )


def seen_at(session: Session, layers: Sequence[str], inputs: Float[Tensor, "b c *spatial"]) -> Mapping[str, Tensor]:
    """Return what each layer gives on some inputs, on the CPU in float64."""
    network = session.network
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    for rows in torch.split(network.accept(inputs), ROWS):
        made = network.forward(rows, Needs(activations=frozenset(layers)), stop=True)
        for name, kept in parts.items():
            kept.append(made.reading.activation[name].detach().cpu().double())
    return {name: torch.cat(rows) for name, rows in parts.items()}


def channels_first(activation: Tensor) -> Float[Tensor, "b c *spatial"]:
    """Return an activation with its units on the second axis; rows of features without a grid have them last."""
    return activation if activation.dim() != 3 else activation.movedim(-1, 1)


def largest(activation: Tensor) -> Float[Tensor, "b c"]:
    """Return the largest activation of each unit over the positions: the value of the unit on each picture."""
    return channels_first(activation).flatten(2).amax(dim=2) if activation.dim() > 2 else activation


def features(activation: Tensor) -> Float[Tensor, "b c"]:
    """Return the mean activation of each unit over the positions: what a picture is at this layer, wherever it lies."""
    return channels_first(activation).flatten(2).mean(dim=2) if activation.dim() > 2 else activation


def strongest_cells(activation: Tensor, channel: int) -> Int[Tensor, " b"]:
    """Return where a unit is most active on each picture: the number of the position, counted row by row."""
    cells: Int[Tensor, " b"] = channels_first(activation)[:, channel].flatten(1).argmax(dim=1)
    return cells


def at_cells(activation: Tensor, grid: Sequence[int], cells: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b c"]:
    """Return what a layer gives at one cell of another layer's grid, the mean over what the cell covers.

    Args:
        activation: of a layer.
        grid: (h, w) of the other layer.
        cells: one for each picture, counted row by row; the middle one if None.

    Returns:
        The mean over all positions, where one of the two layers has no grid of two axes.
    """
    if activation.dim() != 4 or len(grid) != 2:
        return features(activation)
    height, width = grid
    pooled = adaptive_avg_pool2d(activation, (height, width)).flatten(2)
    if cells is None:
        cells = torch.full((len(activation),), height // 2 * width + width // 2)
    return pooled.gather(2, cells[:, None, None].expand(-1, pooled.shape[1], 1))[:, :, 0]
