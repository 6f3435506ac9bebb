"""The lowest point of a bowl, found with one thread of scipy's and without changing anybody's threads."""

import torch
from threadpoolctl import threadpool_info

from seewhy.surrogates.descent import lowest


def threads():
    return sorted(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def test_a_bowl_ends_at_its_middle_and_threads_are_as_before():
    middle, before, seen = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64).numpy(), threads(), []

    def loss(at):
        seen.append(threads())
        return float(((at - middle) ** 2).sum()), 2 * (at - middle)

    found = lowest(loss, torch.zeros(3), 50)
    torch.testing.assert_close(found, torch.from_numpy(middle))
    assert all(number == 1 for pools in seen for number in pools)
    assert threads() == before
