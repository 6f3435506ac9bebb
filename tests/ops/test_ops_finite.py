"""One sum tells finite values from others, also where it overflows."""

import pytest
import torch

from seewhy.ops.finite import all_finite


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_one_bad_value_among_many(bad):
    values = torch.zeros(3, 100)
    values[1, 7] = bad
    assert not all_finite(values)


def test_infinities_of_both_signs():
    assert not all_finite(torch.tensor([torch.inf, -torch.inf, 1.0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_finite_values_whose_sum_is_not(dtype):
    assert all_finite(torch.full((4,), torch.finfo(dtype).max, dtype=dtype))
