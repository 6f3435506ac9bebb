import pytest
import torch

from seewhy.ops.channels import over_positions, plus_plus_weights, ratio, weighted_sum


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("size", [(5,), (3, 4), (2, 3, 4)])
def test_weighted_sum_and_mean_for_any_number_of_axes(size):
    weights, activation = drawn(2, 6), drawn(2, 6, *size, seed=1)
    torch.testing.assert_close(weighted_sum(weights, activation), torch.einsum("bc,bc...->b...", weights, activation))
    torch.testing.assert_close(over_positions(activation), activation.mean(dim=tuple(range(2, activation.dim()))))


def test_weighted_sum_of_channels_last():
    weights, activation = drawn(2, 6), drawn(2, 6, 3, 4, seed=1)
    last = activation.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(weighted_sum(weights, last), weighted_sum(weights, activation))


def test_plus_plus_weights_are_equation_19():
    gradient, activation = drawn(2, 6, 3, 4), drawn(2, 6, 3, 4, seed=1).abs()
    total = activation.sum(dim=(2, 3), keepdim=True)
    alpha = gradient**2 / (2 * gradient**2 + total * gradient**3)
    expected = (alpha * gradient.clamp_min(0)).sum(dim=(2, 3))
    torch.testing.assert_close(plus_plus_weights(gradient, gradient, activation), expected)


def test_plus_plus_weights_do_not_underflow():
    """With g = 1e-16 the powers of the paper's form vanish in float32; alpha is 1 / 2 all the same."""
    gradient, activation = torch.full((1, 1, 2, 2), 1e-16), torch.ones(1, 1, 2, 2)
    torch.testing.assert_close(
        plus_plus_weights(gradient, gradient, activation), torch.tensor([[2e-16]]), rtol=1e-6, atol=0
    )


def test_plus_plus_weights_have_no_pole():
    """Activations that sum to -2 under a gradient of 1 would make the denominator 0; without a positive part alpha is 1 / 2."""
    gradient, activation = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), -0.5)
    assert plus_plus_weights(gradient, gradient, activation).item() == 4 / 2


def test_ratio_is_zero_where_the_divisor_is():
    assert ratio(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])).tolist() == [0.0, 1.5]
