"""Permutation tests against the tests that they should equal, and corrections by hand."""

import numpy as np
import pytest
from scipy import stats

from seewhy.ops.chance import block_test, centred, holm, orthonormal, rank_test, shuffled_within


def test_holm_by_hand():
    """Sorted .01 .03 .04 times 3, 2, 1, never falling: .03 .06 .06."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_the_family_wise_error():
    """Of 2000 families of 8 true nulls, about 5 % have any corrected value below .05."""
    values = np.random.default_rng(0).random((2000, 8))
    share = np.mean([min(holm(row)) < 0.05 for row in values.tolist()])
    assert 0.035 < share < 0.06


def test_shuffles_stay_within_their_strata_and_reach_every_place():
    strata = np.array([1, 0, 1, 0, 1, 2])
    generator = np.random.default_rng(1)
    seen = np.zeros((6, 6))
    for _ in range(600):
        order = shuffled_within(strata, generator)
        assert sorted(order) == list(range(6))
        np.testing.assert_array_equal(strata[order], strata)
        seen[np.arange(6), order] += 1
    np.testing.assert_allclose(seen[0, [0, 2, 4]], 200, atol=50)
    np.testing.assert_allclose(seen[1, [1, 3]], 300, atol=60)


def linear_p(response, block, others):
    """The F test of a block of columns in a linear model, from residual sums of squares."""
    ones = np.ones((len(response), 1))
    small, large = np.hstack([ones, others]), np.hstack([ones, others, block])
    rss = [
        np.sum((response - design @ np.linalg.lstsq(design, response, rcond=None)[0]) ** 2) for design in (small, large)
    ]
    free = len(response) - large.shape[1]
    return stats.f.sf((rss[0] - rss[1]) / block.shape[1] / (rss[1] / free), block.shape[1], free)


@pytest.mark.parametrize("effect", [0.0, 0.15, 0.3])
def test_the_block_test_of_normal_noise_is_the_f_test(effect):
    generator = np.random.default_rng(2)
    others = generator.normal(size=(120, 3))
    block = generator.normal(size=(120, 2)) + others[:, :2]
    response = others @ [1.0, -2.0, 0.5] + effect * block[:, 0] + generator.normal(size=120)
    found = block_test(response, block, others, np.zeros(120, int), 1999, generator)
    assert found == pytest.approx(linear_p(response, block, others), abs=0.03)


def test_the_block_test_is_uniform_where_nothing_is_there():
    """Skewed noise, a block that is correlated with what explains the response, strata of different means."""
    generator = np.random.default_rng(3)
    found = []
    for _ in range(200):
        strata = generator.integers(0, 4, 60)
        others = generator.normal(size=(60, 1))
        block = others + generator.normal(size=(60, 1))
        response = 2 * others[:, 0] + strata + generator.exponential(size=60)
        found.append(block_test(response, block, others, strata, 99, generator))
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.05) < 0.1


def test_a_block_that_others_determine_is_not_tested():
    generator = np.random.default_rng(4)
    others = generator.normal(size=(30, 2))
    block = others @ np.array([[1.0], [3.0]])
    assert block_test(generator.normal(size=30), block, others, np.zeros(30, int), 9, generator) is None
    of_strata = np.repeat([0.0, 1.0, 2.0], 10)[:, None]
    assert block_test(generator.normal(size=30), of_strata, others, np.repeat([0, 1, 2], 10), 9, generator) is None


def test_the_smallest_value_is_one_over_draws_plus_one():
    generator = np.random.default_rng(5)
    block = generator.normal(size=(80, 1))
    found = block_test(
        5 * block[:, 0] + generator.normal(size=80), block, block[:, :0], np.zeros(80, int), 199, generator
    )
    assert found == 1 / 200


def test_the_rank_test_in_one_stratum_is_mann_and_whitneys():
    generator = np.random.default_rng(6)
    values, chosen = generator.normal(size=50), (np.arange(50) < 18).astype(float)
    values[:18] += 0.4
    expected = stats.mannwhitneyu(values[:18], values[18:], method="asymptotic", use_continuity=False).pvalue
    assert rank_test(values, chosen, np.zeros(50, int)) == pytest.approx(expected, rel=1e-9)


def test_strata_take_out_what_only_lies_between_them():
    """A level that is commoner in a hard class: a large gap, none of it within the classes."""
    generator = np.random.default_rng(7)
    strata = np.repeat([0, 1], 100)
    chosen = (generator.random(200) < np.where(strata == 1, 0.8, 0.2)).astype(float)
    values = 3.0 * strata + generator.normal(size=200)
    assert rank_test(values, chosen, np.zeros(200, int)) < 1e-6
    assert rank_test(values, chosen, strata) > 0.05


def test_a_level_of_all_pictures_is_not_told_from_chance():
    assert rank_test(np.arange(6.0), np.ones(6), np.zeros(6, int)) == 1.0


def test_centred_and_orthonormal():
    strata = np.array([0, 1, 0, 1])
    values = np.array([[1.0, 0.0], [5.0, 2.0], [3.0, 4.0], [7.0, 2.0]])
    np.testing.assert_allclose(centred(values, strata), [[-1, -2], [-1, 0], [1, 2], [1, 0]])
    basis = orthonormal(np.hstack([values, values.sum(1, keepdims=True)]))
    assert basis.shape == (4, 2)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-12)
