"""Every channel of a layer taken away alone: by replay from the layer, against runs of the whole network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

import seewhy
from benchmarks.measure import processor_seconds
from benchmarks.models import Case, case
from benchmarks.table import markdown
from seewhy.contributions.layer_channels import Channels
from seewhy.contributions.units import Units, one_at_a_time
from seewhy.data.dataset import dataset
from seewhy.engine.block import Question
from seewhy.engine.probe import NetworkProbe
from seewhy.targets import ClassScore

LEAST = 20.0
"""How many times as much whole runs must cost, for a layer in the last third."""
LAYERS = ("blocks.11", "blocks.13", "blocks.15", "head")
"""The last third of the sixteen blocks, and what follows."""
ROWS = 8
SAMPLE = 24
"""Channels that the whole network is run for; the others cost the same."""


@dataclass(frozen=True)
class Measured:
    """One layer: its channels, what whole runs cost in ours, channel for channel, and how far the answers differ."""

    layer: str
    channels: int
    ratio: float
    apart: float


def measured(layer: str, rounds: int = 3) -> Measured:
    """Take channels away in turn: all of them by replay, the tape of the photo in the price; some by whole runs."""
    asked = case("Lite0", 1, layer=layer)
    session = seewhy.Session(asked.model)
    units = Channels(at=layer, fill="zero").learned(session, dataset((asked.images, [-1]), session.model), 0)
    count = len(units.names)
    near = torch.cat(list(_replayed(session, units, asked)))
    some = torch.linspace(0, count - 1, SAMPLE).long().tolist()
    far = torch.cat(list(_whole(asked, some)))
    ratios = []
    for _ in range(rounds):
        replay = processor_seconds(lambda: list(_replayed(session, units, asked))) / count
        whole = processor_seconds(lambda: list(_whole(asked, some))) / len(some)
        ratios.append(whole / replay)
    return Measured(layer, count, median(ratios), float((near[some] - far).abs().max()))


def _replayed(session: seewhy.Session, units: Units, asked: Case) -> Iterator[Tensor]:
    inputs = session.network.accept(asked.images)
    block = session.block(inputs, units.needs())
    probe = NetworkProbe(Question(block, ClassScore(asked.classes[0][0])), units.needs())
    return units.answers(probe, one_at_a_time(len(units.names)))


def _whole(asked: Case, channels: Sequence[int]) -> Iterator[Tensor]:
    """Run the network with a channel at zero, eight channels at a time, as one would write it with a hook."""
    for start in range(0, len(channels), ROWS):
        part = channels[start : start + ROWS]

        def silence(module: nn.Module, given: tuple[Tensor, ...], output: Tensor, part: Sequence[int] = part) -> Tensor:
            output = output.clone()
            output[range(len(part)), part] = 0
            return output

        handle = asked.module.register_forward_hook(silence)
        try:
            with torch.no_grad():
                yield asked.network(asked.images.expand(len(part), *asked.images.shape[1:]))
        finally:
            handle.remove()


def table(found: Sequence[Measured]) -> str:
    """One line for each layer."""
    head = ("each channel taken away", "channels", "whole runs / ours", f"at least {LEAST:g}", "apart")
    lines = [
        (
            one.layer,
            str(one.channels),
            f"**{one.ratio:.1f} x**",
            "yes" if one.ratio >= LEAST else "**no**",
            f"{one.apart:.0e}",
        )
        for one in found
    ]
    return markdown(head, lines)
