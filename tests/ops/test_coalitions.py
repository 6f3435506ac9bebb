import math
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from seewhy.ops.coalitions import (
    every_coalition,
    growing,
    halves,
    joining_weights,
    kernel_fit,
    kernel_pairs,
    linear_fit,
    orders,
    pair_count,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestKernelPairs:
    @pytest.mark.parametrize("players", [2, 3, 4, 5, 8])
    def test_with_room_for_all_every_coalition_is_asked_once_with_the_weight_of_the_kernel(self, players):
        pairs = kernel_pairs(players, 10_000, generator())
        assert len(pairs.weights) == pair_count(players) == 2 ** (players - 1) - 1
        assert not pairs.drawn.any()
        asked = {tuple(row.tolist()) for half in pairs.coalitions for row in (half, ~half)}
        assert len(asked) == 2**players - 2
        for half, weight in zip(pairs.coalitions, pairs.weights, strict=True):
            size = int(half.sum())
            kernel = (players - 1) / (math.comb(players, size) * size * (players - size))
            assert float(weight) == pytest.approx(2 * kernel)

    def test_sizes_are_listed_as_long_as_as_many_would_be_drawn(self):
        """Twelve players: sizes 1 and 11 hold 12 pairs and 36 % of the weight, so 40 pairs list them, and 30 do not."""
        share = 2 * 11 / 11 / sum(11 / (size * (12 - size)) for size in range(1, 12))
        assert 12 / 40 < share < 12 / 30
        for count, listed in ((40, 12), (30, 0)):
            pairs = kernel_pairs(12, count, generator())
            assert len(pairs.weights) == count
            assert int((~pairs.drawn).sum()) == listed

    def test_what_is_drawn_carries_the_rest_of_the_weight(self):
        pairs = kernel_pairs(12, 100, generator())
        total = sum(11 / (size * (12 - size)) for size in range(1, 12))
        assert float(pairs.weights.sum()) == pytest.approx(total)

    def test_sizes_and_players_are_drawn_as_often_as_the_kernel_says(self):
        pairs = kernel_pairs(9, 60, generator())  # 36 pairs of size 2 (7) are not listed with so few
        assert int((~pairs.drawn).sum()) == 9
        drawn = torch.cat(
            [
                kernel_pairs(9, 60, generator(seed)).coalitions[kernel_pairs(9, 60, generator(seed)).drawn]
                for seed in range(300)
            ]
        )
        expected = np.array([8 / (size * (9 - size)) for size in (2, 3, 4)])
        found = torch.bincount(drawn.sum(dim=1), minlength=5)[2:5].numpy()
        np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), atol=4 * 0.5 / math.sqrt(len(drawn)))
        per_player = drawn.double().mean(dim=0)
        torch.testing.assert_close(
            per_player, per_player.mean().expand(9), rtol=0, atol=4 * 0.5 / math.sqrt(len(drawn))
        )

    def test_the_same_seed_draws_the_same(self):
        assert torch.equal(kernel_pairs(30, 50, generator(3)).coalitions, kernel_pairs(30, 50, generator(3)).coalitions)

    def test_the_first_few_count_as_drawn(self):
        assert kernel_pairs(5, 99, generator()).first(4).drawn.all()


class TestKernelFit:
    def test_equals_least_squares_with_the_sum_put_in(self):
        """Eliminate the last player by hand, and let numpy fit the others over coalitions and complements."""
        pairs = kernel_pairs(6, 20, generator())
        worths = torch.randn(len(pairs.weights), 2, generator=generator(1), dtype=torch.float64)
        nothing, everything = 0.3, -1.2
        z = torch.cat([pairs.coalitions, ~pairs.coalitions]).double().numpy()
        v, root = worths.T.flatten().numpy(), np.sqrt(pairs.weights.repeat(2).numpy())
        gain = everything - nothing
        design = (z[:, :-1] - z[:, -1:]) * root[:, None]
        rest = np.linalg.lstsq(design, root * (v - nothing - z[:, -1] * gain), rcond=None)[0]
        fit = kernel_fit(pairs, worths, nothing, everything)
        np.testing.assert_allclose(fit.values[:-1], rest, atol=1e-12)
        assert float(fit.values.sum()) == pytest.approx(gain, abs=1e-12)
        guessed = z @ fit.values.numpy() + nothing
        mean = np.average(v, weights=root**2)
        expected = 1 - np.sum(root**2 * (v - guessed) ** 2) / np.sum(root**2 * (v - mean) ** 2)
        assert fit.quality == pytest.approx(expected)

    def test_an_additive_game_has_no_error(self):
        pairs = kernel_pairs(15, 60, generator())
        truth = torch.randn(15, generator=generator(2), dtype=torch.float64)
        worths = torch.stack([pairs.coalitions.double() @ truth, (~pairs.coalitions).double() @ truth], dim=1) + 0.5
        fit = kernel_fit(pairs, worths, 0.5, 0.5 + float(truth.sum()))
        torch.testing.assert_close(fit.values, truth, rtol=0, atol=1e-12)
        assert float(fit.error.max()) < 1e-12
        assert fit.quality == pytest.approx(1)

    def test_where_too_little_is_asked_values_are_even_and_the_error_says_so(self):
        pairs = kernel_pairs(8, 1, generator())
        fit = kernel_fit(pairs, torch.zeros(1, 2, dtype=torch.float64), 0.0, 4.0)
        assert torch.isinf(fit.error).all()
        assert float(fit.values.sum()) == pytest.approx(4)
        held = pairs.coalitions[0]
        assert fit.values[held].std(unbiased=False) < 1e-12
        assert fit.values[~held].std(unbiased=False) < 1e-12


class TestLinearFit:
    @pytest.mark.parametrize("ridge", [0.0, 1.0, 30.0])
    def test_equals_the_ridge_regression_of_scikit_learn(self, ridge):
        z = torch.rand(60, 7, generator=generator()) < 0.5
        v = torch.randn(60, generator=generator(1), dtype=torch.float64)
        w = torch.rand(60, generator=generator(2), dtype=torch.float64)
        fit = linear_fit(z, v, w, ridge)
        theirs = Ridge(alpha=ridge, solver="cholesky").fit(z.numpy().astype(float), v.numpy(), w.numpy())
        np.testing.assert_allclose(fit.values, theirs.coef_, atol=1e-10)
        assert fit.quality == pytest.approx(theirs.score(z.numpy().astype(float), v.numpy(), w.numpy()))

    def test_standard_errors_by_hand(self):
        """Two players, equal weights: the sandwich of White with n / (n - 3)."""
        z = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1], [1, 0]], dtype=torch.bool)
        v = torch.tensor([0.0, 1.0, 3.0, 3.0, 2.0], dtype=torch.float64)
        fit = linear_fit(z, v, torch.ones(5, dtype=torch.float64), 0.0)
        x = np.c_[np.ones(5), z.numpy()]
        bread = np.linalg.inv(x.T @ x)
        residual = v.numpy() - x @ bread @ x.T @ v.numpy()
        spread = bread @ (x.T * residual**2) @ x @ bread
        np.testing.assert_allclose(fit.error, np.sqrt(np.diag(spread)[1:] * 5 / 2), atol=1e-12)

    def test_errors_are_honest(self):
        """Over 300 draws, distances from the truth are as large as the errors say."""
        truth = torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64)
        z_scores = []
        for seed in range(300):
            source = generator(seed)
            z = torch.rand(60, 4, generator=source) < 0.5
            noise = torch.randn(60, generator=source, dtype=torch.float64)
            v = z.double() @ truth + noise * (0.5 + z[:, 0].double())
            fit = linear_fit(z, v, torch.ones(60, dtype=torch.float64), 0.0)
            z_scores.append((fit.values - truth) / fit.error)
        assert 0.93 < float(torch.cat(z_scores).std()) < 1.1

    def test_constant_worths_say_nothing_and_are_explained(self):
        z = torch.rand(20, 3, generator=generator()) < 0.5
        fit = linear_fit(z, torch.full((20,), 2.5, dtype=torch.float64), torch.ones(20, dtype=torch.float64), 1.0)
        assert float(fit.values.abs().max()) < 1e-12
        assert fit.quality == 1.0


def test_joining_weights_count_orders():
    """Of the 24 orders of four, a player comes first in 6, second after one given other in 2, ..."""
    torch.testing.assert_close(joining_weights(4) * 24, torch.tensor([6.0, 2.0, 2.0, 6.0], dtype=torch.float64))


def test_every_coalition_but_that_of_all():
    found = [tuple(who.nonzero()[:, 0].tolist()) for who in every_coalition(4)]
    assert found[0] == ()
    assert sorted(found) == sorted(who for size in range(4) for who in combinations(range(4), size))


def test_players_join_in_order():
    assert growing(torch.tensor([2, 0, 1])).tolist() == [[False, False, True], [True, False, True]]


def test_each_second_order_is_the_one_before_backwards():
    drawn = list(orders(7, 4, True, generator()))
    assert torch.equal(drawn[1], drawn[0].flip(0))
    assert torch.equal(drawn[3], drawn[2].flip(0))
    assert not torch.equal(drawn[2], drawn[0])
    assert len(list(orders(7, 5, False, generator()))) == 5


@pytest.mark.parametrize(
    ("places", "first"),
    [
        ([[0, 0], [0, 1], [0, 2], [0, 3]], [True, True, False, False]),
        ([[0, 3], [9, 0], [4, 1]], [True, False, False]),
        ([[0, 0], [1, 0], [1, 0], [1, 0]], [True, False, False, False]),
        ([[2, 2], [2, 2], [2, 2]], [True, False, False]),
    ],
)
def test_halves_by_hand(places, first):
    assert halves(torch.tensor(places, dtype=torch.float64)).tolist() == first


def test_seven_by_seven_boxes_are_cut_along_their_sides():
    places = torch.cartesian_prod(torch.arange(7.0), torch.arange(7.0))
    here = halves(places).view(7, 7)
    assert here.all(dim=1).sum() == 3
    assert (~here).all(dim=1).sum() == 4
