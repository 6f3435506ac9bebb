"""What natural pictures usually give at a layer: the measure against which a unit's own pictures are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.errors import DataError
from seewhy.evaluation.ground import Ground, at_cells, features, largest

SAMPLE = 24
"""Pictures, evenly spread over the data, that stand for a random one."""


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
        middle: what these layers give in the middle of the same pictures (r, c).
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
    middle: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return len(self.mean)

    def constant(self, channel: int) -> bool:
        """Say whether the largest activation of a unit is the same on every picture: it is dead, or always at a ceiling somewhere."""
        return bool(self.lowest[channel] == self.highest[channel])

    def dead(self, channel: int) -> bool:
        """Say whether a unit gave one and the same value at every position of every picture."""
        highest, average = self.highest[channel], self.average[channel]
        return self.constant(channel) and bool((highest - average).abs() <= 1e-6 * highest.abs())

    def standing(self, values: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Return how many deviations above the natural mean each value is; NaN for units that never move."""
        moves = self.lowest < self.highest
        return ((values - self.mean) / self.deviation).where(moves, torch.nan)


def natural(ground: Ground, layers: Sequence[str] = ()) -> Natural:
    """Look once at every picture of a data set, and sum up; memory does not grow with their number.

    Args:
        ground: the layer of the units, and the pictures; the network runs up to the last of the layers.
        layers: further layers whose features are wanted.

    Raises:
        DataError: none of the pictures can be read.
        LayerError: there is no such layer.
    """
    layer = ground.layer
    wanted = (layer, *(name for name in layers if name != layer))
    every = max(1, len(ground.data) // SAMPLE)
    sums: _Sums | None = None
    spread: dict[str, list[Tensor]] = {name: [] for name in wanted}
    middles: dict[str, list[Tensor]] = {name: [] for name in wanted}
    totals = {name: torch.zeros(()) for name in wanted}
    for batch, seen in ground.activations(wanted):
        met = _Sums.of(largest(seen[layer]), features(seen[layer]))
        sums = met if sums is None else sums.with_(met)
        chosen = [row for row, place in enumerate(batch.places) if place % every == 0]
        for name in wanted:
            profile = features(seen[name])
            totals[name] = totals[name] + profile.sum(dim=0)
            spread[name].append(profile[chosen])
            middles[name].append(at_cells(seen[name][chosen], seen[layer].shape[2:]))
        ground.tell("natural pictures", sums.count)
    if sums is None:
        raise DataError("there are no pictures to look at")
    return replace(
        sums.natural(layer),
        centre={name: total / sums.count for name, total in totals.items()},
        sample={name: torch.cat(rows)[:SAMPLE] for name, rows in spread.items()},
        middle={name: torch.cat(rows)[:SAMPLE] for name, rows in middles.items()},
    )


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

    def with_(self, other: "_Sums") -> "_Sums":
        """Join the sums of further pictures (Chan, Golub and LeVeque 1983: squares around the means)."""
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

    def natural(self, layer: str) -> Natural:
        spread = (self.squares.clamp_min(0) / max(1, self.count - 1)).sqrt()
        return Natural(
            layer,
            self.count,
            self.total / self.count,
            spread,
            self.lowest,
            self.highest,
            self.pooled / self.count,
        )
