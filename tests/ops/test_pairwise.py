"""The split of a dot product over pairs of places: it adds up, and the strongest pairs are the planted ones."""

import torch

from seewhy.ops.pairwise import pairwise, strongest_pairs


def test_all_pairs_add_up_to_the_dot_product_of_what_a_linear_head_makes_of_the_means():
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(5, n, generator=draw, dtype=torch.float64) for n in (12, 9))
    weight, bias = (
        torch.randn(3, 5, generator=draw, dtype=torch.float64),
        torch.randn(3, generator=draw, dtype=torch.float64),
    )
    ours, theirs = (weight @ one.mean(dim=1) + bias for one in (a, b))
    made = pairwise(a, b, weight, bias)
    torch.testing.assert_close(made.sum(), ours @ theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(pairwise(a, b).sum(), a.mean(dim=1) @ b.mean(dim=1), rtol=1e-12, atol=1e-12)


def test_the_sums_over_one_picture_are_the_maps_of_the_other():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 1.0, 5.0]])
    made = pairwise(a, b)
    torch.testing.assert_close(made, torch.tensor([[1.0, 1 / 3, 5 / 3], [0, 0, 0]]))
    torch.testing.assert_close(made.sum(dim=1), torch.tensor([3.0, 0.0]))


def test_strongest_pairs_use_each_place_once_and_leave_out_what_speaks_against():
    pairs = torch.tensor([[9.0, 8.0, 0.0], [7.0, 1.0, -1.0], [-2.0, -3.0, -4.0]])
    assert strongest_pairs(pairs, 5) == [(0, 0, 9.0), (1, 1, 1.0)]
