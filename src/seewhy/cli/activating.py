"""`seewhy activations`: what a layer gives on each photo."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.cli import console
from seewhy.cli.choosing import input_shape
from seewhy.cli.explaining import chosen_fit
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing
from seewhy.cli.photos import photo_by_photo
from seewhy.core.sample import Sample
from seewhy.data.picture import sample
from seewhy.engine.anatomy import sample_of
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError
from seewhy.render.bar import figures, percent
from seewhy.report.activations_page import activations_page
from seewhy.visualization.activations import Activations, Scale, activations, explained
from seewhy.visualization.layer_maps import Order as Strength
from seewhy.visualization.layer_maps import layer_maps

ENDINGS = ("npz", "png", "html", "json")
TOLD = 5
"""Channels that the terminal names."""


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    photos: list[Path]
    model: str
    checkpoint: Path | None
    layer: str | None
    channels: str
    by: str
    scale: str
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    device: str | None


@dataclass(frozen=True)
class Job:
    """What is asked, settled for all photos."""

    order: Order
    session: Session
    layer: str
    channels: int | tuple[int, ...]
    by: Strength
    scale: Scale
    fit: Fit | None
    folder: Path

    def show(self, photo: Path, stem: str) -> dict[str, Any]:
        """Write one photo's files and print what they show; return its numbers."""
        order = self.order
        paths = {ending: self.folder / f"{stem}.activations.{ending}" for ending in ENDINGS}
        refuse_existing(paths.values(), force=order.force)
        made = sample(photo, self.session.model, self.fit)
        found = activations(self.session, made, self.layer, channels=self.channels, by=self.by, scale=self.scale)
        with all_or_none(paths.values()):
            for ending in ("npz", "png", "json"):
                found.save(paths[ending], force=order.force)
            page = activations_page(found, _command(order, self.layer, photo))
            render.write_bytes(paths["html"], page.encode(), force=order.force)
        if not order.as_json:
            _tell(found, paths.values())
        return found.numbers() | {"files": {ending: str(path) for ending, path in paths.items()}}


def settled(order: Order) -> Job:
    """Settle what all photos share, so that a mistake in it costs no work."""
    model = load_model(order.model, order.checkpoint)
    model.needs_preprocessing()
    session = Session(model, device=order.device)
    blank = sample_of(input_shape(model))
    layer = order.layer or session.network.target_layer(session.network.accept(blank))
    channels = chosen_channels(order.channels)
    tried = layer_maps(session, Sample(blank[0]), layer)  # so that a wrong layer or channel is told once
    if not isinstance(channels, int):
        tried.facts(max(channels))
    return Job(
        order,
        session,
        layer,
        channels,
        _one_of("--by", order.by, Strength),
        _one_of("--scale", order.scale, Scale),
        chosen_fit(order.fit),
        prepare(order.out),
    )


def chosen_channels(text: str) -> int | tuple[int, ...]:
    """Read "24" as so many of the strongest, "3,17" and "3," as the channels of these numbers."""
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdecimal()]
    if len(numbers) != len([part for part in parts if part]) or not numbers:
        raise ConfigError(
            f"--channels is how many of the strongest (24), or numbers with commas between (3,17; one alone: 3,); got {text!r}"
        )
    if len(parts) == 1 and not numbers[0]:
        raise ConfigError("--channels 0 would show none; channel number 0 alone is written 0,")
    return numbers[0] if len(parts) == 1 else tuple(dict.fromkeys(numbers))


def _one_of(option: str, given: str, kind: Any) -> Any:
    if given not in get_args(kind):
        raise ConfigError(f"{option} is {' or '.join(map(repr, get_args(kind)))}, got {given!r}")
    return given


def run(order: Order) -> None:
    """Show every photo; end with exit code 3 where some failed."""
    photo_by_photo(order.photos, lambda _: settled(order).show, as_json=order.as_json)


def _tell(found: Activations, paths: Iterable[Path]) -> None:
    layer = found.layer
    say = console.out().print
    size = " x ".join(map(str, layer.maps.shape[1:])) or "no places"
    say(f"{layer.sample.name}: {layer.layer} of {layer.network}, {len(layer.maps)} channels, {size}", markup=False)
    for fact in found.facts[:TOLD]:
        zeros = f", zero on {percent(fact.zeros)} of the positions" if fact.place and fact.zeros else ""
        mean = f", mean {figures(fact.mean)}" if fact.place else ""
        say(f"  channel {fact.index}: peak {figures(fact.peak)}{mean}{zeros}", markup=False)
    if layer.spatial:
        _, components = layer.components()
        say(f"  three principal components explain {explained(components.shares)}", markup=False)
    for line in found.sentences:
        say(f"  {line}", markup=False)
    for path in paths:
        say(f"wrote  {path}", markup=False)


def _command(order: Order, layer: str, photo: Path) -> str:
    """Return the command that makes the same page again."""
    words = ["seewhy", "activations", str(photo), "--model", order.model, "--layer", layer]
    words += ["--channels", order.channels, "--by", order.by, "--scale", order.scale]
    words += ["--fit", order.fit] if order.fit else []
    words += ["--checkpoint", str(order.checkpoint)] if order.checkpoint else []
    return shlex.join(words)
