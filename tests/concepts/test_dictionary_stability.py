"""Matching of directions, and whether concepts come out again."""

from itertools import permutations

import pytest
import torch
from laid_out import as_pictures, laid_out, parts, sparse_codes

from seewhy.concepts.assignment import matching
from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.stability import stability
from seewhy.errors import DataError


def noise(count: int, channels: int, seed: int) -> torch.Tensor:
    return torch.randn(count, channels, generator=torch.Generator().manual_seed(seed))


def test_a_permuted_copy_is_found():
    atoms = noise(10, 40, 0)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    found = matching(atoms, -3 * atoms[order])
    assert order[found.partner].tolist() == list(range(10))
    torch.testing.assert_close(found.likeness, torch.ones(10, dtype=torch.float64))


def test_random_directions_are_little_like_each_other():
    assert float(matching(noise(10, 400, 0), noise(10, 400, 1)).likeness.max()) < 0.25


def test_it_is_the_best_of_all_assignments():
    ours, other = noise(5, 6, 2), noise(5, 6, 3)
    cosine = torch.nn.functional.cosine_similarity(ours[:, None].double(), other[None].double(), dim=2).abs()
    best = max(sum(float(cosine[row, column]) for row, column in enumerate(order)) for order in permutations(range(5)))
    assert float(matching(ours, other).likeness.sum()) == pytest.approx(best)


def test_where_the_other_has_fewer_some_have_no_partner():
    atoms = torch.eye(3)
    found = matching(atoms, atoms[[2]])
    assert found.partner.tolist() == [-1, -1, 0]
    assert found.likeness.tolist() == [0, 0, 1]


def test_planted_parts_come_out_again_and_random_directions_do_not():
    rows = sparse_codes(64 * 16, 4, 2) @ parts(4, 32)
    features = laid_out(as_pictures(rows))
    got = stability(fit_dictionary(features, "nmf", 4), features)
    assert min(got.values) > 0.98
    assert got.mean == pytest.approx(sum(got.values) / 4)
    assert got.random < 0.6


def test_concepts_of_noise_do_not_come_out_again():
    features = laid_out(noise(32, 24 * 16, 4).view(32, 24, 4, 4))
    got = stability(fit_dictionary(features, "pca", 6), features, repeats=3)
    assert max(got.halves) < 0.8
    assert sum(got.halves) / 6 < 0.5
    assert 0 <= min(got.values) <= max(got.values) <= 1


def test_the_random_control_is_what_chance_gives():
    features = laid_out(noise(32, 24 * 16, 4).view(32, 24, 4, 4))
    one = fit_dictionary(features, "pca", 6)
    drawn = [float(matching(noise(6, 24, 100 + n), noise(6, 24, 200 + n)).likeness.mean()) for n in range(200)]
    assert stability(one, features, repeats=1).random == pytest.approx(sum(drawn) / 200, abs=0.05)


def test_the_same_seed_gives_the_same_figures():
    features = laid_out(noise(16, 8 * 16, 4).view(16, 8, 4, 4).abs())
    one = fit_dictionary(features, "kmeans", 3)
    assert stability(one, features, repeats=1) == stability(one, features, repeats=1)


def test_one_picture_has_no_halves():
    features = laid_out(noise(1, 8 * 16, 4).view(1, 8, 4, 4))
    with pytest.raises(DataError, match="two halves"):
        stability(fit_dictionary(features, "pca", 1), features)
