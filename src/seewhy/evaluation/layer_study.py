"""All units of a layer at once: one pass for what is usual, one for natural examples, one without each unit, and a quick picture each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.budget import Allowance, Budget
from seewhy.engine.model import Fit, Model
from seewhy.errors import ConfigError, TargetError
from seewhy.evaluation.ground import Ground, features, largest, seen_at
from seewhy.evaluation.natural import Natural, natural
from seewhy.evaluation.unit_effects import Running, effects_of
from seewhy.evaluation.unit_study import Place, highest
from seewhy.evaluation.unit_trust import OwnRank, Reached, mean_cosine, own_rank, reached
from seewhy.targets import Channel
from seewhy.visualization.examples import Examples
from seewhy.visualization.maximize import Climb, as_seen, maximize
from seewhy.visualization.profiles import suited

MOST_UNITS = 320
"""Units that one atlas holds, at most."""


QUICK_STEPS = 32
"""Steps of gradient ascent for each picture of an atlas; it is shown in one view at each."""


@dataclass(frozen=True)
class Quickly:
    """How much is done for each unit of a layer.

    Args:
        climb: how a picture is made; small and quick.
        pictures: how many are made of each unit.
        natural: natural pictures, at most, that say what is usual.
        ablated: natural pictures, at most, on which each unit is taken away; 0 for none.
        fit: how natural pictures are fitted.
        budget: the time for the pictures that are made ("10m"); what is done by then is kept.
    """

    climb: Climb
    pictures: int = 2
    natural: int = 256
    ablated: int = 32
    fit: Fit | None = None
    budget: Budget = None

    def __post_init__(self) -> None:
        for name, least in (("pictures", 1), ("natural", 1), ("ablated", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, got {getattr(self, name)}")
        Allowance.of(self.budget)

    def price(self, units: int, pictures: int) -> str:
        """Return what an atlas of so many units over so many natural pictures costs, in words."""
        steps = units * self.pictures * self.climb.steps
        taken = units * min(pictures, self.ablated)
        passes = pictures + min(pictures, self.natural)
        return (
            f"{units} units: {passes} forwards for natural pictures, {taken} partial forwards without each unit, "
            f"{steps} steps of ascent at most ({self.climb.steps} for each of {self.pictures} pictures a unit)"
        )


@dataclass(frozen=True, eq=False)
class QuickStudy:
    """What was quickly found out about one unit.

    Attributes:
        channel: its number.
        images: made for it, the strongest first (s, c, h, w), from 0 to 1.
        values: its largest activation on each.
        reached, rank: the first two checks that need nothing more; rank is None for a unit that never moves.
        agreement: mean cosine of the features of the made pictures at the last layer; None where there is one only.
    """

    channel: int
    images: Float[Tensor, "s c h w"]
    values: Float[Tensor, " s"]
    reached: Reached
    rank: OwnRank | None
    agreement: float | None


def quick_climb(model: Model, layer: str) -> Climb:
    """Return how the pictures of an atlas are made: as suits a unit, but in few steps of one view."""
    made = suited(model, Channel(layer, 0))
    return replace(made, steps=QUICK_STEPS, views=replace(made.views, count=1))


def chosen_units(text: str | None, units: int, layer: str) -> tuple[tuple[int, ...], bool]:
    """Read "0-9,40" as numbers of units, and say whether some were left out because an atlas holds no more.

    Raises:
        ConfigError: it is no such list.
        TargetError: the layer has no such unit.
    """
    if text is None:
        return tuple(range(min(units, MOST_UNITS))), units > MOST_UNITS
    chosen: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(f"units are numbers and ranges with commas between, such as '0-9,40'; got {text!r}")
        end = int(last) if dash else int(first)
        if end >= units or int(first) > end:
            raise TargetError(f"layer {layer!r} has units 0 to {units - 1}; {part.strip()!r} is not among them")
        chosen += range(int(first), end + 1)
    listed = tuple(dict.fromkeys(chosen))
    return listed[:MOST_UNITS], len(listed) > MOST_UNITS


def usual_of_layer(ground: Ground, place: Place, quickly: Quickly) -> Natural:
    """Return what natural pictures usually give at a layer, and at the one where pictures are told apart."""
    return natural(ground.thinned(quickly.natural), (place.after,))


def without_each(ground: Ground, channels: Sequence[int], usual: Natural, quickly: Quickly) -> Running | None:
    """Take each unit away; None where that was not asked for, or the network is no classifier."""
    return effects_of(ground.thinned(quickly.ablated), channels, usual.average) if quickly.ablated else None


def quick_studies(
    ground: Ground,
    place: Place,
    channels: Sequence[int],
    usual: Natural,
    found: Examples,
    *,
    quickly: Quickly,
    seed: int = 0,
) -> Iterator[QuickStudy]:
    """Make pictures for unit after unit, until all are done or the time is over; the first is always done."""
    for done, channel in enumerate(Allowance(seconds=Allowance.of(quickly.budget).seconds).spend(channels)):
        yield _quick(ground, place, channel, usual, found, quickly=quickly, seed=seed)
        if ground.progress is not None:
            ground.progress("units", done + 1, len(channels))


def _quick(
    ground: Ground, place: Place, channel: int, usual: Natural, found: Examples, *, quickly: Quickly, seed: int
) -> QuickStudy:
    session = ground.session
    target, starts = Channel(place.layer, channel), range(seed, seed + quickly.pictures)
    pictures = torch.cat([maximize(session, target, quickly.climb, start).images.cpu() for start in starts])
    seen = seen_at(session, (place.layer, place.after), as_seen(pictures, session.model, quickly.climb))
    rows = largest(seen[place.layer])
    order = rows[:, channel].argsort(descending=True, stable=True)
    apart = features(seen[place.after]) - usual.centre[place.after]
    if place.after == place.layer:
        apart = torch.cat([apart[:, :channel], apart[:, channel + 1 :]], dim=1)
    return QuickStudy(
        channel,
        pictures[order],
        rows[order, channel],
        reached(float(rows[order[0], channel]), highest(usual, found.of(place.layer, channel))),
        own_rank(rows[order[0]], usual, channel),
        mean_cosine(apart) if len(pictures) > 1 else None,
    )
