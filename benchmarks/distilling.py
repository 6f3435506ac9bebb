"""What making students costs: each kind over 10,000 pictures of 512 features, and concept activation vectors with 50 repeats."""

import time
from dataclasses import dataclass

import torch
from torch import nn

import seewhy
from benchmarks.table import markdown
from seewhy.core.sample import Sample
from seewhy.data.dataset import Dataset
from seewhy.data.features import Features, features
from seewhy.data.shelf import Fingerprint
from seewhy.surrogates.basis import PooledChannels
from seewhy.surrogates.distilling import Course, Material, distilled
from seewhy.surrogates.kinds import kinds
from seewhy.surrogates.lesson import Lesson, Splits

PICTURES, CHANNELS, CLASSES = 10_000, 512, 10
BARS = {"linear": 5.0, "tree": 3.0, "hierarchy": 3.0, "prototypes": 2.0}
"""Seconds that a kind may take, on two cores."""


@dataclass(frozen=True)
class Measured:
    """One kind: seconds of the clock for all of its sizes on the half to fit, on all pictures, and with splits, control and report."""

    kind: str
    half: float
    every: float
    whole: float


def made_up() -> Features:
    """Return features of ten classes, whose middles lie apart in a hundred of the channels, never negative; answers are a linear head's."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(PICTURES) % CLASSES
    middles = torch.zeros(CLASSES, CHANNELS)
    middles[:, :100] = 2 * torch.rand(CLASSES, 100, generator=generator)
    pooled = (middles[labels] + torch.randn(PICTURES, CHANNELS, generator=generator)).relu()
    outputs = pooled @ (middles - middles.mean(dim=0)).T
    ready = tuple(Sample(row[:, None, None], name=str(number)) for number, row in enumerate(pooled))
    data = Dataset(tuple(map(str, range(PICTURES))), tuple(labels.tolist()), ready=ready)
    return Features("made up", pooled, None, outputs, labels, data, Fingerprint("", "", {}), (1, 1))


def measured(kind: str) -> Measured:
    """Make the students of one kind."""
    features = made_up()
    splits = Splits.drawn(features.predicted, 0)
    names = tuple(f"class {number}" for number in range(CLASSES))
    material = Material(features, PooledChannels(features.layer, CHANNELS), splits, names)
    everything = torch.arange(PICTURES)
    lesson = Lesson.of(features.pooled, features, everything)
    begun = time.perf_counter()
    list(kinds()[kind].path(lesson.learnable()))
    every = time.perf_counter() - begun
    begun = time.perf_counter()
    student = distilled(kinds()[kind], material, Course())
    return Measured(kind, student.seconds, every, time.perf_counter() - begun)


def concepts(repeats: int = 50, count: int = 10, each: int = 40) -> float:
    """Return the seconds of TCAV with its gate and erasure: so many concepts, ten classes, activations computed before."""
    made = made_up()
    network = nn.Sequential(nn.Flatten(), nn.Identity(), nn.Linear(CHANNELS, CLASSES))
    session = seewhy.Session(network)
    ready = made.pooled[:, :, None, None]
    seen = features(session, (ready, made.labels), "1")
    given = {
        f"concept {number}": (ready[number * each : (number + 1) * each], made.labels[:each]) for number in range(count)
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    begun = time.perf_counter()
    seewhy.tcav(network, seen, given, layer="1", repeats=repeats)
    took = time.perf_counter() - begun
    torch.set_num_threads(threads)
    return took


def table(found: list[Measured]) -> str:
    """Return what each kind took."""
    head = [
        "student",
        "all 10,000 pictures, all sizes",
        "held to",
        "half of them",
        "with report and three random controls",
    ]
    lines = [[one.kind, f"{one.every:.1f} s", _bar(one), f"{one.half:.1f} s", f"{one.whole:.1f} s"] for one in found]
    probed = f"TCAV of ten concepts for ten classes, 50 repeats, gate and erasure included, two threads: {concepts():.1f} s (5 s)"
    return f"**Students of {PICTURES} x {CHANNELS} features**\n\n{markdown(head, lines)}\n\n{probed}"


def _bar(one: Measured) -> str:
    bar = BARS.get(one.kind)
    return "" if bar is None else f"{bar:.0f} s: {'yes' if one.every <= bar else 'no'}"
