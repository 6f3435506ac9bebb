"""`seewhy examples`: one pass over many pictures, and what the channels of a layer like best and least among them."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer import Exit

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.cli import console
from seewhy.cli.choosing import input_shape
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, plain_name, prepare, refuse_existing
from seewhy.cli.progress import Watch, watched
from seewhy.data.dataset import dataset
from seewhy.engine.anatomy import sample_of
from seewhy.errors import ConfigError
from seewhy.report.examples_page import examples_page
from seewhy.visualization.examples import Examples
from seewhy.visualization.search import Search, channels_of, search

SHOWN = 12
"""Channels on the sheet and the page where none is named: spread evenly over the layer, so that nobody has picked them."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    pictures: list[Path]
    model: str
    checkpoint: Path | None
    layers: list[str] | None
    channels: list[int] | None
    top: int
    rungs: int
    sample: int
    distinct: bool
    cache: Path | None
    cached: bool
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None

    @property
    def shelf(self) -> Path | None:
        """The folder of the cache; None where none is wanted."""
        return (self.cache or self.out / "cache") if self.cached else None


@dataclass
class _Told:
    """Moves the bar, and remembers where the search began."""

    watch: Watch
    begun: int | None = None
    done: int = field(default=0)

    def __call__(self, done: int, total: int) -> None:
        if self.begun is None:
            self.begun = done
            self.watch.begin(total)
        for _ in range(done - self.done):
            self.watch.advance()
        self.done = done


def run(order: Order) -> None:
    """Search, write the files, say what was found; end with exit code 3 where some pictures could not be used."""
    with watched() as watch, console.usage():
        how = Search(order.top, order.rungs, order.sample, order.distinct, chosen_fit(order.fit), seed=order.seed)
        session = Session(load_model(order.model, order.checkpoint), device=order.device, seed=order.seed)
        layers = order.layers or [_own_layer(session)]
        stem = plain_name(order.pictures[0].resolve().stem)
        paths = _paths(prepare(order.out), stem, layers)
        refuse_existing(paths.values(), force=order.force)
        data = dataset(order.pictures, session.model)
        sizes = channels_of(session, data, layers)
        shown = {layer: _channels(layer, sizes[layer], order.channels) for layer in layers}
        told = _Told(watch)
        with _goes_on(order, told, len(data)):
            found = search(session, data, layers, how, order.shelf, told)
        with all_or_none(paths.values()):
            _write(found, shown, paths, order)
    for name, why in found.broken.items():
        console.say(f"error: {why if name in why else f'{name}: {why}'}")
    if order.as_json:
        files = {ending: str(path) for ending, path in paths.items()}
        sys.stdout.write(json.dumps(found.numbers() | {"files": files}, allow_nan=False) + "\n")
    else:
        _tell(found, shown, paths.values(), told, order)
    if found.broken:
        console.say(f"{len(found.broken)} of {len(data)} pictures could not be used")
        raise Exit(console.SOME_FAILED)


@contextmanager
def _goes_on(order: Order, told: _Told, total: int) -> Iterator[None]:
    """Say after Ctrl-C how far the search came, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if order.shelf is not None:
            console.say("the same command goes on from where the search was last saved")
        raise console.interrupted(told.done, total) from None


def _own_layer(session: Session) -> str:
    """Return the layer that methods look at."""
    return session.network.target_layer(session.network.accept(sample_of(input_shape(session.model))))


def _channels(layer: str, count: int, asked: list[int] | None) -> list[int]:
    """Return the channels that are shown, of so many; raise `ConfigError` where the layer has no such channel."""
    if not asked:
        shown = min(SHOWN, count)
        return [round(number * (count - 1) / max(1, shown - 1)) for number in range(shown)]
    wrong = [channel for channel in asked if not 0 <= channel < count]
    if wrong:
        raise ConfigError(f"layer {layer!r} has channels 0 to {count - 1}, got --channel {wrong[0]}")
    return list(dict.fromkeys(asked))


def _paths(folder: Path, stem: str, layers: list[str]) -> dict[str, Path]:
    """Return a sheet and a page for each layer, and one file of numbers and one of arrays for all."""
    paths: dict[str, Path] = {}
    for layer in layers:
        name = f"{stem}.{plain_name(layer)}.examples"
        paths |= {f"{layer}.png": folder / f"{name}.png", f"{layer}.html": folder / f"{name}.html"}
    return paths | {"json": folder / f"{stem}.examples.json", "npz": folder / f"{stem}.examples.npz"}


def _write(found: Examples, shown: dict[str, list[int]], paths: dict[str, Path], order: Order) -> None:
    found.save(paths["npz"], force=order.force)
    found.save(paths["json"], force=order.force)
    for layer, channels in shown.items():
        sheet = render.png_bytes(found.sheet(channels, layer))
        page = examples_page(found, channels, layer, _command(order, layer, channels))
        render.write_bytes(paths[f"{layer}.png"], sheet, force=order.force)
        render.write_bytes(paths[f"{layer}.html"], page.encode(), force=order.force)


def _tell(found: Examples, shown: dict[str, list[int]], paths: Iterable[Path], told: _Told, order: Order) -> None:
    """Say what was searched and found."""
    print_ = console.out().print
    print_(f"{found.seen} pictures, {_from_where(told, order)}", markup=False)
    if found.duplicates:
        left_out, earlier = next(iter(found.duplicates.items()))
        print_(
            f"  {len(found.duplicates)} more are nearly the same as an earlier one and were left out ({found.brief(left_out)} as {found.brief(earlier)})",
            markup=False,
        )
    for layer, channels in shown.items():
        one = found.layer(layer)
        dead = int((one.constant == one.constant).sum())
        print_(f"{layer}: {one.channels} channels, each sees {found.sees(layer)}", markup=False)
        if dead:
            print_(f"  {dead} of them {'gives' if dead == 1 else 'give'} the same value everywhere", markup=False)
        for channel in channels[:3]:
            best = found.of(layer, channel).top[:3]
            names = ", ".join(f"{found.brief(example.name)} {example.value:.3g}" for example in best)
            print_(f"  channel {channel}: {names}", markup=False)
    for path in paths:
        print_(f"wrote  {path}", markup=False)


def _from_where(told: _Told, order: Order) -> str:
    if told.begun is None:
        return f"nothing searched again: the result was in {order.shelf}"
    return f"went on from picture {told.begun}" if told.begun else "searched in one pass"


def _command(order: Order, layer: str, channels: list[int]) -> str:
    """Return the command that makes the same page again."""
    words: list[Any] = ["seewhy", "examples", *order.pictures, "--model", order.model, "--layer", layer]
    for channel in channels if order.channels else ():
        words += ["--channel", channel]
    for name, value, usual in (
        ("--top", order.top, 9),
        ("--rungs", order.rungs, 9),
        ("--sample", order.sample, 256),
        ("--fit", order.fit, None),
        ("--checkpoint", order.checkpoint, None),
        ("--seed", order.seed, 0),
    ):
        words += [name, value] if value != usual else []
    return shlex.join(map(str, words + ([] if order.distinct else ["--keep-duplicates"])))
