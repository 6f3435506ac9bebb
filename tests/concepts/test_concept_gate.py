"""The gate: what is there passes, what is not passes as often as it is allowed to."""

import pytest
import torch
from scipy.stats import binom
from torch import Generator

from seewhy.concepts.directions import ways
from seewhy.concepts.gate import gate

TRIALS = 200


def rows(count: int, generator: Generator, channels: int = 12) -> torch.Tensor:
    return torch.randn(count, channels, generator=generator) * torch.linspace(0.2, 3, channels)


@pytest.mark.parametrize("way", ways())
def test_a_concept_that_is_there_passes(way):
    generator = Generator().manual_seed(0)
    own = rows(15, generator)
    own[:, 0] += 2  # ten times the spread of the channel
    found = gate(own, rows(40, generator), way, 99, Generator().manual_seed(1))
    assert found.accuracy > 0.7 > found.random[1]
    assert found.chance == found.least == pytest.approx(0.01)


def test_clouds_far_apart_are_told_apart_always():
    generator = Generator().manual_seed(0)
    found = gate(rows(10, generator) + 50, rows(30, generator), "mean difference", 99, Generator().manual_seed(1))
    assert found.accuracy == 1.0


@pytest.mark.parametrize(("way", "trials", "draws"), [("mean difference", TRIALS, 39), ("ridge", TRIALS, 39)])
def test_random_concepts_pass_as_often_as_stated(way, trials, draws):
    """Shuffled labels: the concept's pictures are drawn like the others."""
    generator = Generator().manual_seed(2)
    passed = 0
    for trial in range(trials):
        both = rows(32, generator, 6)
        passed += gate(both[:8], both[8:], way, draws, Generator().manual_seed(trial)).chance <= 0.05
    low, high = binom.ppf([0.0005, 0.9995], trials, 0.05)
    assert low <= passed <= high


def test_two_pictures_on_either_side_are_enough_to_say_nothing():
    generator = Generator().manual_seed(0)
    found = gate(rows(2, generator), rows(2, generator), "mean difference", 99, generator)
    assert found.least == pytest.approx(1 / 6)
    assert found.chance >= 1 / 6
