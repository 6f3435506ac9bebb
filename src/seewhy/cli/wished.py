"""Which pictures are meant by --layer, --channel, --class, --photo and their kin, and what their files are called."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seewhy.api import Session
from seewhy.api.visualizing import layers_of
from seewhy.core.method import AUTO
from seewhy.core.target import Target
from seewhy.engine.recording import layer_of
from seewhy.errors import ConfigError, nearest
from seewhy.targets import Channel, ClassScore, Contrast, Neuron
from seewhy.visualization.from_photo import WAYS

MOST = 4096
"""Pictures of one call; a range that asks for more is taken for a slip."""

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_LONGEST = 80


@dataclass(frozen=True)
class Wish:
    """What was said about the pictures.

    Attributes:
        layers: names of layers.
        channels: numbers and ranges: "3", "0-9", "1,5".
        at: "center", or "ROW,COLUMN" on the layer's grid; None for the whole channel.
        classes: names or indices.
        against: a class that is to lose.
        photo: what the pictures are made from.
        way: what is made of the photo.
    """

    layers: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    at: str | None = None
    classes: tuple[str, ...] = ()
    against: str | None = None
    photo: Path | None = None
    way: str | None = None


@dataclass(frozen=True)
class Picture:
    """One picture that is wished for.

    Attributes:
        stem: name of its file, without the ending.
        target: what it is made for; None where it only repeats a layer.
        layer: the layer that it repeats.
    """

    stem: str
    target: Target | None = None
    layer: str = ""


def wished(wish: Wish, session: Session) -> list[Picture]:
    """Return the pictures that are meant.

    Raises:
        ConfigError: the options do not fit together; the message says what is missing.
        LayerError: no such layer.
    """
    _check(wish)
    for layer in wish.layers:
        layer_of(session.network.module, layer)
    begin = "" if wish.photo is None else f"{wish.photo.stem}.{wish.way}-"
    if wish.way in ("caricature", "inversion"):
        layers = layers_of(session, list(wish.layers) or AUTO)
        return _named((f"{begin}{layer}", None, layer) for layer in layers)
    return _named((f"{begin}{name}", target, layer) for name, target, layer in _targets(wish, session))


def _check(wish: Wish) -> None:
    if (wish.photo is None) != (wish.way is None):
        raise ConfigError("--photo and --as go together: --photo cat.jpg --as caricature, inversion or accentuation")
    if wish.way is not None and wish.way not in WAYS:
        near = nearest(wish.way, WAYS)
        raise ConfigError(
            f"--as is one of {', '.join(WAYS)}; got {wish.way!r}" + (f" (did you mean {near}?)" if near else "")
        )
    units = bool(wish.channels or wish.classes)
    if wish.way in ("caricature", "inversion"):
        if units:
            raise ConfigError(f"a {wish.way} repeats whole layers; leave out --channel and --class")
    elif wish.layers and not wish.channels:
        raise ConfigError("--layer wants --channel: which units of the layer? For instance --channel 0-9")
    elif not units and wish.way is None:
        raise ConfigError("say what the pictures are for: --layer blocks.8 --channel 0-9, or --class zebra")
    if wish.against is not None and not wish.classes:
        raise ConfigError("--against goes with --class: --class zebra --against horse")
    if wish.at is not None and not wish.channels:
        raise ConfigError("--at goes with --channel: one neuron of the channel, such as --at center")


def _targets(wish: Wish, session: Session) -> Iterator[tuple[str, Target, str]]:
    """Yield name, target and layer of each picture."""
    if wish.channels:
        place = None if wish.at is None else _place(wish.at)
        channels = numbers(wish.channels)
        for layer in layers_of(session, list(wish.layers) or AUTO):
            for index in channels:
                target = Channel(layer, index) if place is None else Neuron(layer, index, place)
                yield f"{layer}-{index}" + (f"-at-{wish.at}" if wish.at else ""), target, layer
    for name in wish.classes:
        if wish.against is None:
            yield name, ClassScore(name), ""
        else:
            yield f"{name}-not-{wish.against}", Contrast(name, wish.against), ""
    if not wish.channels and not wish.classes:
        yield "predicted", ClassScore(), ""


def _place(text: str) -> tuple[int, ...] | Literal["center"]:
    if text == "center":
        return "center"
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise ConfigError(f"--at is 'center', or a row and a column of the layer's grid such as 3,4; got {text!r}")
    return tuple(int(part) for part in text.split(","))


def numbers(texts: Sequence[str]) -> list[int]:
    """Read numbers and ranges: "3", "0-9", "1,5,8-10"; each number once, in the order in which it is named.

    Raises:
        ConfigError: anything else, a range that runs backwards, or more than `MOST` numbers.
    """
    found: dict[int, None] = {}
    for part in ",".join(texts).split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise ConfigError(f"--channel is a number (3), a range (0-9), or several with commas (1,5); got {part!r}")
        if last - first >= MOST or len(found) >= MOST:
            raise ConfigError(f"--channel asks for more than {MOST} pictures; name fewer")
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)


def _named(pictures: Iterable[tuple[str, Target | None, str]]) -> list[Picture]:
    """Give each picture a name that is a plain file's, numbered where two would be the same."""
    seen: dict[str, int] = {}
    made = []
    for name, target, layer in pictures:
        stem = re.sub(r"[^\w.,@-]+", "-", name).strip(".-")[:_LONGEST] or "picture"
        seen[stem.lower()] = seen.get(stem.lower(), 0) + 1
        count = seen[stem.lower()]
        made.append(Picture(stem if count == 1 else f"{stem}-{count}", target, layer))
    return made
