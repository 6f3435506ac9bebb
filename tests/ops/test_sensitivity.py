"""Estimators against what is known in closed form, against loops, and against other ways of the same formula."""

import math
from itertools import islice, permutations

import pytest
import torch
from torch import Tensor

from seewhy.ops.masks import sobol_pairs
from seewhy.ops.sensitivity import hsic, moments, reliability, total_order


def drawn(samples: int, inputs: int) -> tuple[Tensor, Tensor]:
    """Return two designs of samples of so many inputs."""
    pairs = islice(sobol_pairs(inputs, torch.Generator().manual_seed(0)), samples)
    base, other = map(torch.stack, zip(*pairs, strict=True))
    return base, other


def indices(function, base: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return total-order indices and errors of one function of samples (n, d)."""
    mixed = []
    for column in range(base.shape[1]):
        changed = base.clone()
        changed[:, column] = other[:, column]
        mixed.append(function(changed))
    found = total_order(function(base)[:, None], function(other)[:, None], torch.stack(mixed, dim=1)[..., None])
    return found[0][0], found[1][0]


def ishigami(x: Tensor) -> Tensor:
    a, b, c = (x * 2 * math.pi - math.pi).unbind(dim=1)
    return torch.sin(a) + 7 * torch.sin(b) ** 2 + 0.1 * c**4 * torch.sin(a)


class TestTotalOrder:
    def test_a_linear_function_has_the_shares_of_its_squared_weights(self):
        weights = torch.tensor([3.0, -2.0, 1.0, 0.0]).double()
        pair = drawn(1024, 4)
        found, _ = indices(lambda x: x @ weights, *pair)
        torch.testing.assert_close(found, weights**2 / 14, rtol=0, atol=0.01)
        assert found[3] == 0

    def test_the_function_of_ishigami(self):
        """Indices in closed form for a = 7, b = 0.1, in Saltelli et al. 2008, Global Sensitivity Analysis, section 4.6."""
        pair = drawn(4096, 3)
        found, _ = indices(ishigami, *pair)
        variance = 7**2 / 8 + 0.1 * math.pi**4 / 5 + 0.1**2 * math.pi**8 / 18 + 0.5
        first, third = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2, 0.1**2 * math.pi**8 * (1 / 18 - 1 / 50)
        expected = torch.tensor([first + third, 7**2 / 8, third]).double() / variance
        torch.testing.assert_close(expected, torch.tensor([0.5576, 0.4424, 0.2437]).double(), rtol=0, atol=1e-4)
        torch.testing.assert_close(found, expected, rtol=0, atol=0.01)

    def test_a_product_of_centred_inputs_is_all_interaction(self):
        pair = drawn(4096, 2)
        found, _ = indices(lambda x: (x - 0.5).prod(dim=1), *pair)
        torch.testing.assert_close(found, torch.ones(2).double(), rtol=0, atol=0.02)

    def test_a_score_that_never_changes_has_no_shares(self):
        same = torch.full((8, 1), 3.0)
        found, errors = total_order(same, same, same[:, None].expand(8, 5, 1))
        assert not found.any() and not errors.any()

    def test_the_standard_error_is_the_spread_over_designs(self):
        generator, weights = torch.Generator().manual_seed(0), torch.tensor([3.0, 1.0, 1.0, 1.0, 1.0]).double()
        runs = [
            indices(lambda x: x @ weights, *torch.rand(2, 200, 5, generator=generator, dtype=torch.float64))
            for _ in range(300)
        ]
        spread = torch.stack([found for found, _ in runs]).std(dim=0)
        stated = torch.stack([error for _, error in runs]).mean(dim=0)
        torch.testing.assert_close(stated, spread, rtol=0.15, atol=0)


class TestHSIC:
    @staticmethod
    def slowly(cells: Tensor, scores: Tensor) -> Tensor:
        """Return HSIC of one cell and one score by the sums of Gretton et al. 2005 over all pairs and triples."""
        n = len(cells)
        distances = sorted(abs(float(scores[a] - scores[b])) for a in range(n) for b in range(a))
        width = distances[(len(distances) - 1) // 2]
        k = [[math.exp(-((float(a - b) / 0.5) ** 2) / 2) for b in cells] for a in cells]
        g = [[math.exp(-((float(a - b) / width) ** 2) / 2) for b in scores] for a in scores]
        pairs = sum(k[a][b] * g[a][b] for a in range(n) for b in range(n)) / n**2
        apart = sum(map(sum, k)) * sum(map(sum, g)) / n**4
        triples = sum(k[a][b] * g[a][c] for a in range(n) for b in range(n) for c in range(n)) / n**3
        return torch.tensor(pairs + apart - 2 * triples).double()

    def test_it_is_what_loops_over_pairs_and_triples_give(self):
        generator = torch.Generator().manual_seed(0)
        cells = (torch.rand(9, 3, generator=generator) < 0.5).double()
        scores = torch.randn(9, 2, generator=generator).double() + 3 * cells[:, :1]
        found, _ = hsic(cells, scores)
        for image in range(2):
            for cell in range(3):
                torch.testing.assert_close(found[image, cell], self.slowly(cells[:, cell], scores[:, image]))

    def test_chance_is_the_mean_over_all_orders_of_the_scores(self):
        generator = torch.Generator().manual_seed(0)
        cells, scores = torch.rand(5, 2, generator=generator).double(), torch.randn(5, 1, generator=generator).double()
        _, chance = hsic(cells, scores)
        over = torch.stack([hsic(cells, scores[list(order)])[0].mean() for order in permutations(range(5))])
        torch.testing.assert_close(chance[0], over.mean())

    def test_cells_that_do_not_matter_are_at_the_level_of_chance_and_one_that_does_is_far_above(self):
        generator = torch.Generator().manual_seed(0)
        cells = (torch.rand(400, 20, generator=generator) < 0.5).double()
        scores = torch.sin(1.5 * cells[:, 7:8]) ** 2 + 0.3 * torch.randn(400, 1, generator=generator).double()
        found, chance = hsic(cells, scores)
        others = torch.cat([found[0, :7], found[0, 8:]])
        assert 0.4 * chance < others.mean() < 1.8 * chance
        assert found[0, 7] > 30 * chance

    def test_a_score_that_never_changes_depends_on_nothing(self):
        found, chance = hsic(torch.tensor([[0.0], [1.0], [1.0], [0.0]]), torch.ones(4, 1))
        assert not found.any() and not chance.any()


class TestMoments:
    @pytest.fixture
    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(0)
        masks = torch.rand(31, 1, 4, 5, generator=generator, dtype=torch.float64)
        return [(mask, 1000 + 3 * mask[0, 1, 2:4] + torch.randn(2, generator=generator)) for mask in masks]

    def test_covariance_and_its_error(self, pairs):
        halves = moments(iter(pairs), 0.5, torch.tensor([1000.0, 1001.0]).double(), (4, 5))
        whole = halves[0] + halves[1]
        masks, scores = (torch.stack(part) for part in zip(*pairs, strict=True))
        assert (halves[0].count, halves[1].count, whole.count) == (16, 15, 31)
        for image in range(2):
            together = torch.cat([masks.flatten(1), scores[:, image : image + 1]], dim=1)
            torch.testing.assert_close(whole.covariance[image].flatten(), torch.cov(together.T)[-1, :-1])
            centred = (masks[:, 0] - 0.5) * (scores[:, image] - scores[:, image].mean())[:, None, None]
            torch.testing.assert_close(whole.covariance_error[image], centred.std(dim=0) / 31**0.5)

    def test_the_mean_product_and_its_error(self, pairs):
        halves = moments(iter(pairs), 0.0, torch.zeros(2).double(), (4, 5))
        whole = halves[0] + halves[1]
        masks, scores = (torch.stack(part) for part in zip(*pairs, strict=True))
        products = masks * scores[..., None, None]  # (n, b, h, w)
        torch.testing.assert_close(whole.product, products.mean(dim=0))
        torch.testing.assert_close(whole.product_error, products.std(dim=0) / 31**0.5)
        torch.testing.assert_close(halves[1].product, products[1::2].mean(dim=0))


class TestReliability:
    def test_by_pencil(self):
        a = torch.tensor([[1.0, -1.0, 0.0, 0.0]])
        assert reliability(a, a).item() == pytest.approx(1)
        assert reliability(a, 5 * a + 3).item() == pytest.approx(1)
        assert reliability(a, torch.tensor([[1.0, 0.0, -1.0, 0.0]])).item() == pytest.approx(2 / 3)  # r = 1 / 2
        assert reliability(a, -a).item() == 0
        assert reliability(a, 0 * a).item() == 0

    def test_it_foretells_how_two_means_of_both_halves_agree(self):
        generator = torch.Generator().manual_seed(0)
        truth = torch.randn(1, 4000, generator=generator)
        first, second, third, fourth = (truth + 1.5 * torch.randn(1, 4000, generator=generator) for _ in range(4))
        again = torch.corrcoef(torch.cat([first + second, third + fourth]))[0, 1]
        assert reliability(first, second).item() == pytest.approx(again.item(), abs=0.03)
