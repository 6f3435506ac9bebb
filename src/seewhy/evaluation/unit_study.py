"""Everything that is found out about one unit: pictures made for it, natural ones, what it does to the answer, and how far to trust that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.engine.layers import Layer
from seewhy.engine.model import Fit
from seewhy.engine.recording import layer_of
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, GradientError, TargetError, nearest
from seewhy.evaluation.ground import Ground, at_cells, features, largest, seen_at, strongest_cells
from seewhy.evaluation.natural import Natural, natural
from seewhy.evaluation.unit_effects import Effect, effect
from seewhy.evaluation.unit_trust import Agreement, Trust, agreement, own_rank, path_similarity, reached, robustness
from seewhy.targets import Channel
from seewhy.visualization.examples import ChannelExamples, Examples
from seewhy.visualization.maximize import Climb, as_input, as_seen, maximize, picture_shape, view_size
from seewhy.visualization.views import Views

PATH = 10
"""Layers, at most, on the way to the unit that pictures are compared at."""
FRESH = 1_000_003
"""Added to the seed of the views that a picture is tried with: none of them is one that it was made with."""
_TOP = 9


@dataclass(frozen=True)
class Wanted:
    """How much is done for one unit.

    Args:
        climb: how a picture is made.
        pictures: how many are made, from different starts.
        views: random views of the strongest one, for its robustness.
        natural: natural pictures, at most, that say what is usual.
        ablated: natural pictures, at most, on which the unit is taken away; 0 for none.
        fit: how natural pictures are fitted.
    """

    climb: Climb = field(default_factory=Climb)
    pictures: int = 4
    views: int = 40
    natural: int = 512
    ablated: int = 256
    fit: Fit | None = None

    def __post_init__(self) -> None:
        for name, least in (("pictures", 1), ("views", 1), ("natural", 1), ("ablated", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Made:
    """Pictures that were made for a unit, the strongest first.

    Attributes:
        images: RGB (s, c, h, w), from 0 to 1.
        values: largest activation of the unit on each (s,).
        seeds: of each.
        moved: largest activation on views of the first (n,).
        rows: largest activation of every unit of the layer on the first (c,).
        features: by layer, of each (s, c).
        spots: what each layer on the way gives where the unit is most active (s, c).
    """

    images: Float[Tensor, "s c h w"]
    values: Float[Tensor, " s"]
    seeds: tuple[int, ...]
    moved: Float[Tensor, " n"]
    rows: Float[Tensor, " c"]
    features: Mapping[str, Tensor]
    spots: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class UnitStudy:
    """What was found out about one unit.

    Attributes:
        layer, channel: which.
        natural: what pictures usually give at its layer.
        examples: its natural examples; `found` is the whole search, which knows their pictures.
        maps: where the unit is active on each of its examples, by the number of the picture: (h, w) of the layer's grid.
        made: pictures made for it; None where none could be made.
        effect: what taking it away does; None where that was not asked for or the network is no classifier.
        trust: the checks; None where no picture could be made.
        notes: what a reader must know.
    """

    layer: str
    channel: int
    natural: Natural
    examples: ChannelExamples
    found: Examples
    maps: Mapping[int, Float[Tensor, "h w"]]
    made: Made | None
    effect: Effect | None
    trust: Trust | None
    notes: tuple[str, ...]

    @property
    def dead(self) -> bool:
        """Whether the unit gave one and the same value everywhere on every natural picture."""
        return self.natural.dead(self.channel)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a unit is: its layer, the layers on the way to it, and the one at which pictures are told apart.

    Attributes:
        layer: its own.
        path: layers on the way, its own last.
        after: the network's last layer with a grid, or the unit's own where that comes later.
    """

    layer: str
    path: tuple[str, ...]
    after: str


def placed(session: Session, layer: str) -> Place:
    """Find the way to a layer.

    Raises:
        LayerError: there is no such layer.
        ModelError: the size of the network's input is not stated.
    """
    layer_of(session.network.module, layer)
    channels, height, width = picture_shape(session.model, Climb())
    layers, last = session.network.layers((height, width), channels)
    names = [one.name for one in layers]
    if layer not in names:
        return Place(layer, (layer,), layer)
    mine = names.index(layer)
    after = last if last in names and names.index(last) > mine else layer
    return Place(layer, _path(layers[:mine], layer), after or layer)


def _path(before: Sequence[Layer], layer: str) -> tuple[str, ...]:
    """Choose some layers before a unit's: those at the level of names where the network's blocks are, evenly spread."""
    gridded = [one.name for one in before if one.grid is not None and not layer.startswith(f"{one.name}.")]
    levels = [name.count(".") for name in gridded]
    level = next(
        (n for n in sorted(set(levels)) if sum(one <= n for one in levels) >= PATH // 2), max(levels, default=0)
    )
    chosen = [name for name, depth in zip(gridded, levels, strict=True) if depth <= level]
    chosen = [name for name in chosen if not any(other.startswith(f"{name}.") for other in chosen)]
    if len(chosen) >= PATH:
        chosen = [chosen[round(n * (len(chosen) - 1) / (PATH - 2))] for n in range(PATH - 1)]
    return (*chosen, layer)


def study(
    ground: Ground, place: Place, channel: int, usual: Natural, found: Examples, *, wanted: Wanted, seed: int = 0
) -> UnitStudy:
    """Find out everything about one unit.

    Args:
        ground: network, layer and natural pictures.
        place: where the unit is.
        channel: its number.
        usual: what pictures usually give at the layer and on the way to it; see `usual_at`.
        found: natural examples of the layer.
        wanted: how much is done.
        seed: the pictures are made with this seed and those that follow; so are views and resamples.

    Raises:
        TargetError: the layer has no such unit.
    """
    if not 0 <= channel < usual.units:
        raise TargetError(f"layer {place.layer!r} has {usual.units} channels, from 0; there is no channel {channel}")
    examples = found.of(place.layer, channel)
    notes: list[str] = []
    made = _made(ground, place, channel, wanted, seed, notes=notes)
    seen = _seen(ground, place, channel, examples)
    done = None
    if wanted.ablated and not usual.dead(channel):
        done = effect(ground.thinned(wanted.ablated), channel, usual.average)
        if done is None:
            notes.append(
                "The network's answer is not one row of classes, so what the unit does to it was not measured."
            )
    trust = None if made is None else _trust(place, examples, usual, made, seen)
    return UnitStudy(place.layer, channel, usual, examples, found, seen.maps, made, done, trust, tuple(notes))


def usual_at(ground: Ground, place: Place, wanted: Wanted) -> Natural:
    """Return what natural pictures usually give at a layer and on the way to it."""
    return natural(ground.thinned(wanted.natural), (*place.path, place.after))


def _made(ground: Ground, place: Place, channel: int, wanted: Wanted, seed: int, *, notes: list[str]) -> Made | None:
    session = ground.session
    images = []
    seeds = tuple(range(seed, seed + wanted.pictures))
    target = Channel(place.layer, channel)
    steps = wanted.climb.steps
    for number, one in enumerate(seeds):

        def told(step: int, of: int, score: float, number: int = number) -> None:
            if ground.progress is not None:
                ground.progress("pictures made for the unit", number * steps + step, len(seeds) * steps)

        try:
            images.append(maximize(session, target, wanted.climb, one, told).images)
        except GradientError as error:
            notes.append(f"No picture could be made: {error}")
            return None
    pictures = torch.cat(images).cpu()
    seen = seen_at(session, (*place.path, place.after), as_seen(pictures, session.model, wanted.climb))
    rows = largest(seen[place.layer])
    order = rows[:, channel].argsort(descending=True, stable=True)
    best = pictures[order[0]]
    views = moved_views(best, view_size(session.model, wanted.climb), wanted.views, seed)
    moved = largest(seen_at(session, (place.layer,), as_input(views, session.model))[place.layer])[:, channel]
    profiles, spots = _profiles(seen, place, channel)
    return Made(
        pictures[order],
        rows[order, channel],
        tuple(seeds[n] for n in order.tolist()),
        moved,
        rows[order[0]],
        {name: values[order] for name, values in profiles.items()},
        {name: values[order] for name, values in spots.items()},
    )


def highest(usual: Natural, examples: ChannelExamples) -> float:
    """Return the largest activation of a unit on any natural picture: the search may have looked at more of them than what is usual was told from."""
    return max([float(usual.highest[examples.channel]), *(example.value for example in examples.top)])


def moved_views(
    picture: Float[Tensor, "c h w"], size: tuple[int, int], count: int, seed: int
) -> Float[Tensor, "n c height width"]:
    """Return random views of a picture, none of which it has climbed with: turned by up to 10 degrees, scaled by up to a tenth, shifted by up to a twentieth.

    The movements are the same whatever the picture was made with, so that robustness can be compared between ways of making one.
    """
    shift = max(picture.shape[1:]) / 20
    views = Views(count=count, turn=10.0, scale=0.1, shift=shift)
    return views.of(picture, Generator().manual_seed(seed + FRESH), size)


def _profiles(seen: Mapping[str, Tensor], place: Place, channel: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the features of pictures at each layer, and what the layers on the way give where the unit is most active."""
    own = seen[place.layer]
    cells = strongest_cells(own, channel) if own.dim() > 2 else None
    spots = {name: at_cells(seen[name], own.shape[2:], cells) for name in place.path}
    return {name: features(activation) for name, activation in seen.items()}, spots


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the layers give on a unit's strongest natural pictures, as in `Made`, and where it is active on each of its examples."""

    features: Mapping[str, Tensor]
    spots: Mapping[str, Tensor]
    maps: Mapping[int, Tensor]


def _seen(ground: Ground, place: Place, channel: int, examples: ChannelExamples) -> _Seen:
    """Run the unit's examples once more."""
    names = tuple(dict.fromkeys((*place.path, place.after)))
    top = {example.picture for example in examples.top[:_TOP]}
    parts: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    maps: dict[int, Tensor] = {}
    for picture in dict.fromkeys(example.picture for example in (*examples.top, *examples.strip)):
        given = seen_at(ground.session, names, ground.inputs(picture))
        if given[place.layer].dim() == 4:
            maps[picture] = given[place.layer][0, channel].clone()
        if picture in top:
            parts.append(_profiles(given, place, channel))
    profiles = {name: torch.cat([part[0][name] for part in parts]) for name in names if parts}
    spots = {name: torch.cat([part[1][name] for part in parts]) for name in place.path if parts}
    return _Seen(profiles, spots, maps)


def _trust(place: Place, examples: ChannelExamples, usual: Natural, made: Made, top: _Seen) -> Trust:
    """Make the checks that can be made."""
    channel = examples.channel
    value = float(made.values[0])
    living = bool(top.features) and not usual.dead(channel)
    return Trust(
        reached(value, highest(usual, examples)),
        robustness(value, made.moved),
        own_rank(made.rows, usual, channel),
        _agreement(place, channel, usual, made, top) if living else None,
        path_similarity(made.spots, top.spots, usual.middle, place.path) if living else None,
    )


def _agreement(place: Place, channel: int, usual: Natural, made: Made, top: _Seen) -> Agreement | None:
    """Compare pictures at the layer that tells them apart; where that is the unit's own it is left out, as all of them excite it."""
    rows = [some[place.after] for some in (made.features, top.features, usual.sample)] + [
        usual.centre[place.after][None]
    ]
    if place.after == place.layer:
        rows = [torch.cat([part[:, :channel], part[:, channel + 1 :]], dim=1) for part in rows]
    return agreement(rows[0], rows[1], rows[2], rows[3][0], place.after)


def unit_of(text: str, layers: Sequence[str] = ()) -> tuple[str, int]:
    """Read "blocks.8:20": a layer and the number of a channel.

    Raises:
        ConfigError: it is no such thing.
    """
    layer, colon, index = text.strip().rpartition(":")
    if not colon or not layer or not index.isdigit():
        near = nearest(text, list(layers))
        raise ConfigError(
            f"a unit is a layer and the number of a channel, such as 'blocks.8:20'; got {text!r}"
            + (f"; nearest layers: {near}" if near else "")
        )
    return layer, int(index)
