"""TCAV: exact where the network is linear, and significant as often as it says."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.stats import binom
from torch import Generator

from seewhy.concepts.directions import ways
from seewhy.concepts.draws import chances, draws_for, least_chance, resampled, subsets
from seewhy.concepts.tcav import Pull, Trial, influences

TRIALS = 200
CHANNELS = 8


def rows(count: int, generator: Generator) -> torch.Tensor:
    mixed = torch.randn(count, CHANNELS, generator=generator) @ torch.diag(torch.linspace(0.3, 2, CHANNELS))
    return mixed.relu()


def linear_pull(weights: torch.Tensor, count: int = 20) -> Pull:
    return Pull(0, weights.expand(count, -1))


def test_in_a_linear_head_the_effect_is_how_far_the_mean_logits_lie_apart_and_tcav_is_its_sign():
    generator = Generator().manual_seed(0)
    own, others = rows(12, generator), rows(30, generator)
    for seed in range(4):
        weights = torch.randn(CHANNELS, generator=Generator().manual_seed(seed))
        (found,) = influences(own, others, [linear_pull(weights)], Trial(draws=99))
        apart = float((own @ weights).mean() - (others @ weights).mean())
        assert found.effect.value == pytest.approx(apart, rel=1e-5)
        assert found.share.value == (1.0 if apart > 0 else 0.0)


@pytest.mark.parametrize("way", ways())
def test_tcav_is_the_share_of_positive_directional_derivatives(way):
    """Each picture of the class has a gradient of its own: count them by hand."""
    generator = Generator().manual_seed(1)
    own, others = rows(10, generator), rows(20, generator)
    own[:, 0] += 3
    gradients = torch.zeros(5, CHANNELS)
    gradients[:, 0] = torch.tensor([1.0, 2.0, -1.0, 0.5, -0.1]) * 1e3
    (found,) = influences(own, others, [Pull(3, gradients)], Trial(way, draws=99))
    assert found.category == 3
    assert found.share.value == pytest.approx(3 / 5)
    assert found.effect.value > 0


def test_the_interval_holds_the_true_effect_nearly_always():
    """A linear head: the effect is a difference of two means, whose interval is known to hold the truth in 95 of 100 cases."""
    generator = Generator().manual_seed(3)
    weights = torch.linspace(-1, 1, CHANNELS)
    truth, held = 0.7 * float(weights.sum()), 0
    for trial in range(TRIALS):
        own = torch.randn(15, CHANNELS, generator=generator) + 0.7
        others = torch.randn(25, CHANNELS, generator=generator)
        (found,) = influences(own, others, [linear_pull(weights, 15)], Trial(draws=19, seed=trial))
        held += found.effect.low <= truth <= found.effect.high
    assert binom.ppf(0.0005, TRIALS, 0.95) <= held


@pytest.mark.parametrize("way", ["mean difference", "ridge"])
def test_random_concepts_are_significant_as_often_as_stated(way):
    generator = Generator().manual_seed(4)
    gradients = torch.randn(20, CHANNELS, generator=generator) * 0.3 + torch.randn(CHANNELS, generator=generator)
    found = 0
    for trial in range(TRIALS):
        both = rows(40, generator)
        (one,) = influences(both[:10], both[10:], [Pull(0, gradients)], Trial(way, 50, 39, trial))
        found += one.chance <= 0.05
    low, high = binom.ppf([0.0005, 0.9995], TRIALS, 0.05)
    assert low <= found <= high


def test_a_t_test_over_repeats_that_share_the_pictures_finds_random_concepts_far_more_often():
    """Why this is no t-test: 40 repeats of one random concept against 40 random ones."""
    generator = Generator().manual_seed(5)
    weights = torch.randn(CHANNELS, generator=generator)
    false = 0
    for _ in range(60):
        pool, own = rows(300, generator), rows(10, generator)
        picked = torch.stack([torch.randperm(300, generator=generator)[:20] for _ in range(40)])
        concept = [float((own.mean(dim=0) - pool[some[:10]].mean(dim=0)) @ weights > 0) for some in picked]
        random = [float((pool[some[:10]].mean(dim=0) - pool[some[10:]].mean(dim=0)) @ weights > 0) for some in picked]
        false += _t_test(np.array(concept), np.array(random)) <= 0.05
    assert false > 20  # a third of them, where 3 are allowed


def _t_test(one: np.ndarray, other: np.ndarray) -> float:
    """Return the p-value of Welch's t-test, by its formula; scores that are all the same have no variance."""
    error = np.hypot(one.std(ddof=1), other.std(ddof=1)) / len(one) ** 0.5
    return float(2 * stats.t.sf(abs(one.mean() - other.mean()) / max(error, 1e-9), 2 * len(one) - 2))


def test_a_planted_concept_is_significant():
    generator = Generator().manual_seed(6)
    own, others = rows(10, generator), rows(50, generator)
    own[:, 2] += 3
    weights = torch.zeros(CHANNELS)
    weights[2] = 1.0
    for_it, against_it = influences(own, others, [linear_pull(weights), linear_pull(-weights)], Trial(draws=199))
    assert for_it.chance == against_it.chance == for_it.least == pytest.approx(1 / 200)
    assert for_it.effect.low > for_it.random_effect[1] > 0 > for_it.random_effect[0]
    assert against_it.effect.value == pytest.approx(-for_it.effect.value)


def test_a_concept_that_the_class_does_not_read_has_no_effect():
    generator = Generator().manual_seed(7)
    (found,) = influences(rows(10, generator), rows(30, generator), [linear_pull(torch.zeros(CHANNELS))], Trial())
    assert (found.effect.value, found.share.value, found.chance) == (0.0, 0.0, 1.0)


def test_the_same_seed_gives_the_same_and_another_another():
    generator = Generator().manual_seed(8)
    given = rows(10, generator), rows(30, generator), [linear_pull(torch.ones(CHANNELS))]
    first, again, other = (influences(*given, Trial(draws=99, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first[0].effect.low != other[0].effect.low
    assert first[0].effect.value == other[0].effect.value


def test_chances_are_ranks_with_the_value_itself_counted_in():
    random = torch.tensor([[1.0], [2.0], [3.0]])
    assert [float(chances(torch.tensor([value]), random)) for value in (4.0, 3.0, 2.5, 0.0)] == [0.25, 0.5, 0.5, 1.0]


def test_enough_random_concepts_are_drawn_for_the_correction():
    assert draws_for(1) == 999
    for tests in (30, 100, 400):
        assert tests / (draws_for(tests) + 1) <= 0.025 + 1e-12
    assert least_chance(2, 4, 999) == pytest.approx(1 / 15)


def test_random_concepts_have_as_many_pictures_and_each_picture_equally_often():
    drawn = torch.cat(list(subsets(3, 12, 6000, 0)))
    assert drawn.shape == (6000, 12) and set(drawn.sum(dim=1).tolist()) == {3.0}
    assert torch.allclose(drawn.mean(dim=0), torch.full((12,), 0.25).double(), atol=0.03)
    assert set(resampled(7, 20, Generator().manual_seed(0)).sum(dim=1).tolist()) == {7.0}
