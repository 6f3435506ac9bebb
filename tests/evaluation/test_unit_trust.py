"""The five checks: each against a number by hand, a brute-force loop, or a case in which the answer is known."""

import math

import pytest
import torch
from scipy.stats import spearmanr

from seewhy.evaluation.natural import Natural
from seewhy.evaluation.unit_trust import (
    Trust,
    agreement,
    mean_cosine,
    own_rank,
    path_similarity,
    reached,
    robustness,
)


def natural(mean, deviation, lowest=None, highest=None):
    mean, deviation = torch.tensor(mean), torch.tensor(deviation)
    return Natural(
        "layer",
        10,
        mean,
        deviation,
        mean - deviation if lowest is None else torch.tensor(lowest),
        mean + deviation if highest is None else torch.tensor(highest),
        mean,
    )


def test_strength_is_the_ratio_of_two_activations_and_holds_from_one_on():
    assert reached(6.0, 4.0).ratio == 1.5
    assert reached(6.0, 4.0).holds
    assert not reached(3.9, 4.0).holds
    assert reached(4.0, 4.0).holds


def test_a_unit_that_is_never_above_zero_has_no_ratio_but_is_compared():
    assert reached(-1.0, -2.0).ratio is None
    assert reached(-1.0, -2.0).holds
    assert not reached(-3.0, -2.0).holds


def test_robustness_is_the_mean_and_the_mean_of_the_worst_tenth():
    found = robustness(2.0, torch.tensor([2.0] * 18 + [1.0, 0.0]))
    assert found.mean == pytest.approx((18 * 1 + 0.5 + 0) / 20)
    assert found.worst == pytest.approx(0.25)  # the worst two of twenty
    assert not found.holds
    assert robustness(2.0, torch.full((20,), 1.2)).holds
    assert robustness(0.0, torch.ones(20)) is None


def test_own_rank_orders_units_by_natural_deviations_and_leaves_out_those_that_never_move():
    usual = natural([0.0, 10.0, 1.0, 5.0], [1.0, 5.0, 0.5, 0.0])
    found = own_rank(torch.tensor([3.0, 30.0, 2.0, 99.0]), usual, 0)  # z: 3, 4, 2; unit 3 is dead
    assert (found.rank, found.units, found.first) == (2, 3, 1)
    assert found.standing == pytest.approx(3.0)
    assert not found.holds
    assert own_rank(torch.tensor([3.0, 30.0, 2.0, 99.0]), usual, 1).holds
    assert own_rank(torch.tensor([3.0, 30.0, 2.0, 99.0]), usual, 3) is None


def test_equal_pictures_agree_with_one_and_random_ones_hardly():
    row = torch.randn(1, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert mean_cosine(row.expand(4, -1)) == pytest.approx(1.0, abs=1e-12)
    assert mean_cosine(torch.eye(4)) == 0.0
    random = torch.randn(60, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert abs(mean_cosine(random)) < 0.01


def test_mean_cosine_equals_a_loop_over_pairs():
    rows = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    pairs = [float(rows[i] @ rows[j] / (rows[i].norm() * rows[j].norm())) for i in range(5) for j in range(5) if i != j]
    assert mean_cosine(rows) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


def test_agreement_takes_the_natural_mean_off():
    centre = torch.full((6,), 100.0, dtype=torch.float64)
    opposite = centre + torch.tensor([[1.0, 0, 0, 0, 0, 0], [-1.0, 0, 0, 0, 0, 0]], dtype=torch.float64)
    found = agreement(opposite, opposite, opposite, centre, "later")
    assert found.made == pytest.approx(-1.0)
    assert agreement(opposite[:1], opposite, opposite, centre, "later") is None


def pictures(count, seed, *, base=None, noise=1.0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, 50, dtype=torch.float64, generator=generator)
    return noise * drawn + (0.0 if base is None else base)


def test_path_similarity_is_one_for_more_of_the_same_and_about_zero_for_any_picture():
    base = pictures(1, 0)
    top = {"a": pictures(8, 1, base=base)}
    usual = {"a": pictures(20, 2)}
    same = path_similarity({"a": pictures(300, 3, base=base)}, top, usual, ["a"])
    noise = path_similarity({"a": pictures(300, 4)}, top, usual, ["a"])
    assert same.index == pytest.approx(1.0, abs=0.1)
    assert noise.index == pytest.approx(0.0, abs=0.1)
    assert (same.inside, noise.inside) == (1, 0)
    assert same.holds
    assert not noise.holds


def test_a_strongest_picture_left_out_lies_by_construction_where_the_others_lie():
    """Each natural picture compared with all others: made so, the mean over the pictures is exactly the natural similarity, so the index is 1."""
    base = pictures(1, 0)
    top, usual = pictures(6, 1, base=base), {"a": pictures(9, 2)}
    sums = [
        path_similarity({"a": top[n : n + 1]}, {"a": torch.cat([top[:n], top[n + 1 :]])}, usual, ["a"]).points[0].made
        for n in range(6)
    ]
    whole = path_similarity({"a": top[:1]}, {"a": top}, usual, ["a"]).points[0]
    assert sum(sums) / 6 == pytest.approx(whole.top, abs=1e-12)


def test_similarities_are_spearmans():
    top, made, usual = pictures(4, 1), pictures(2, 2), pictures(3, 3)
    point = path_similarity({"a": made}, {"a": top}, {"a": usual}, ["a"]).points[0]
    between = [spearmanr(one, other).statistic for one in made.numpy() for other in top.numpy()]
    within = [spearmanr(top[i], top[j]).statistic for i in range(4) for j in range(4) if i != j]
    any_ = [spearmanr(one, other).statistic for one in usual.numpy() for other in top.numpy()]
    assert point.made == pytest.approx(sum(between) / len(between), abs=1e-12)
    assert point.top == pytest.approx(sum(within) / len(within), abs=1e-12)
    assert point.usual == pytest.approx(sum(any_) / len(any_), abs=1e-12)


def test_a_band_in_which_any_picture_lies_says_little():
    found = path_similarity({"a": pictures(9, 0)}, {"a": pictures(9, 1)}, {"a": pictures(40, 2)}, ["a"])
    assert (found.inside, found.anyone) == (1, 1)
    assert found.holds is None


def test_where_natural_pictures_have_nothing_in_common_no_index_is_told():
    found = path_similarity({"a": pictures(3, 0)}, {"a": pictures(5, 1)}, {"a": pictures(40, 2)}, ["a"])
    assert found.points[0].index is None
    assert found.index is None
    assert path_similarity({"a": pictures(3, 0)}, {"a": pictures(2, 1)}, {"a": pictures(4, 2)}, ["a"]) is None


def test_checks_that_could_not_be_made_are_not_counted():
    trust = Trust(reached(2.0, 1.0), None, None, None, None)
    assert (trust.made, trust.held) == (1, 1)
    assert math.isclose(trust.reached.ratio, 2.0)
