"""What natural pictures usually give at a layer: the measure against which a unit's own pictures are judged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.data.dataset import Batch, Dataset
from seewhy.engine.model import Fit
from seewhy.engine.session import Session

ROWS = 8
"""Pictures that go through the network at once."""
SAMPLE = 24
"""Pictures, evenly spread over the data, that stand for a random one."""
Progress = Callable[[str, int, int], None]
"""Is told what is at work, how much is done, and how much there is."""


@dataclass(frozen=True, eq=False)
class Natural:
    """What every unit of a layer gives on natural pictures.

    The value of a unit on a picture is its largest activation over the positions.

    Attributes:
        layer: the layer.
        pictures: how many were looked at.
        mean, deviation: of the values over the pictures (c,).
        lowest, highest: of the values (c,).
        average: mean of the activation over pictures and positions (c,): what a unit is set to when it is taken away.
        centre: mean over the pictures of the features of each layer that was asked for.
        sample: features (r, c) of pictures that are evenly spread over the data, by layer.
    """

    layer: str
    pictures: int
    mean: Float[Tensor, " c"]
    deviation: Float[Tensor, " c"]
    lowest: Float[Tensor, " c"]
    highest: Float[Tensor, " c"]
    average: Float[Tensor, " c"]
    centre: Mapping[str, Tensor] = field(default_factory=dict)
    sample: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return len(self.mean)

    def constant(self, channel: int) -> bool:
        """Say whether a unit gave the same value on every picture: a dead one, if that value is zero."""
        return bool(self.lowest[channel] == self.highest[channel])

    def standing(self, values: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Return how many deviations above the natural mean each value is; NaN for units that never move."""
        moves = self.lowest < self.highest
        return ((values - self.mean) / self.deviation).where(moves, torch.nan)


def natural(
    session: Session,
    layer: str,
    data: Dataset,
    layers: Sequence[str] = (),
    fit: Fit | None = None,
    progress: Progress | None = None,
) -> Natural:
    """Look once at every picture of a data set, and sum up; memory does not grow with their number.

    Args:
        session: runs the network, up to the last of the layers.
        layer: the layer of the units; with or without a grid.
        data: natural pictures.
        layers: further layers whose features are wanted.
        fit: how pictures are fitted.
        progress: is told how many pictures are done.

    Raises:
        DataError: none of the pictures can be read.
        LayerError: there is no such layer.
    """
    wanted = (layer, *(name for name in layers if name != layer))
    every = max(1, len(data) // SAMPLE)
    sums: _Sums | None = None
    kept: dict[str, list[Tensor]] = {name: [] for name in wanted}
    totals: dict[str, Tensor] = {}
    done = 0
    for batch, seen in activations(session, wanted, data, fit):
        found = largest(seen[layer])
        sums = _Sums.of(found, features(seen[layer])) if sums is None else sums.with_(found, features(seen[layer]))
        chosen = [row for row, place in enumerate(batch.places) if place % every == 0]
        for name in wanted:
            profile = features(seen[name])
            totals[name] = totals.get(name, 0) + profile.sum(dim=0)
            kept[name].append(profile[chosen])
        done += len(batch.places)
        if progress is not None:
            progress("natural pictures", done, len(data))
    if sums is None:
        raise ValueError("a data set without pictures raises before it gets here")
    centre = {name: total / done for name, total in totals.items()}
    sample = {name: torch.cat(rows)[:SAMPLE] for name, rows in kept.items()}
    return sums.natural(layer, centre, sample)


def thinned(data: Dataset, most: int) -> Dataset:
    """Return at most so many pictures of a data set, evenly spread over it."""
    if len(data) <= most:
        return data
    places = torch.linspace(0, len(data) - 1, most).round().long().tolist()
    return replace(
        data,
        names=tuple(data.names[place] for place in places),
        labels=tuple(data.labels[place] for place in places),
        paths=None if data.paths is None else tuple(data.paths[place] for place in places),
        ready=None if data.ready is None else tuple(data.ready[place] for place in places),
    )


def activations(
    session: Session, layers: Sequence[str], data: Dataset, fit: Fit | None = None
) -> Iterator[tuple[Batch, Mapping[str, Tensor]]]:
    """Yield batches of pictures with what each layer gives on them; the network runs up to the last of the layers."""
    for batch in data.batches(session.model, ROWS, fit):
        yield batch, seen_at(session, layers, batch.inputs)


def seen_at(session: Session, layers: Sequence[str], inputs: Float[Tensor, "b c *spatial"]) -> Mapping[str, Tensor]:
    """Return what each layer gives on some inputs, on the CPU in float64."""
    network = session.network
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    for rows in torch.split(network.accept(inputs), ROWS):
        made = network.forward(rows, Needs(activations=frozenset(layers)), stop=True)
        for name in layers:
            parts[name].append(made.reading.activation[name].detach().cpu().double())
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


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the pictures so far."""

    count: int
    total: Tensor
    squares: Tensor
    lowest: Tensor
    highest: Tensor
    pooled: Tensor

    @classmethod
    def of(cls, values: Float[Tensor, "b c"], pooled: Float[Tensor, "b c"]) -> "_Sums":
        shift = values[0]  # squares of what is left lose no digits
        rest = values - shift
        return cls(
            len(values),
            values.sum(0),
            (rest**2).sum(0) - rest.sum(0) ** 2 / len(values),
            values.amin(0),
            values.amax(0),
            pooled.sum(0),
        )

    def with_(self, values: Float[Tensor, "b c"], pooled: Float[Tensor, "b c"]) -> "_Sums":
        """Join the sums of further pictures (Chan, Golub and LeVeque 1983: squares around the means)."""
        other = _Sums.of(values, pooled)
        apart = other.total / other.count - self.total / self.count
        weight = self.count * other.count / (self.count + other.count)
        return _Sums(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares + apart**2 * weight,
            torch.minimum(self.lowest, other.lowest),
            torch.maximum(self.highest, other.highest),
            self.pooled + other.pooled,
        )

    def natural(self, layer: str, centre: Mapping[str, Tensor], sample: Mapping[str, Tensor]) -> Natural:
        spread = (self.squares.clamp_min(0) / max(1, self.count - 1)).sqrt()
        return Natural(
            layer,
            self.count,
            self.total / self.count,
            spread,
            self.lowest,
            self.highest,
            self.pooled / self.count,
            centre,
            sample,
        )
