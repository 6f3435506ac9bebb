"""Principal components against numpy's singular value decomposition, and the laws that fix them."""

import numpy as np
import torch
from torch import Tensor

from seewhy.ops.principal import principal_components


def rows(count: int = 40, channels: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, channels, generator=generator, dtype=torch.float64) * torch.arange(1, channels + 1)


def test_equal_to_the_singular_values_of_numpy_up_to_the_fixed_sign():
    given = rows()
    centred = given.numpy() - given.numpy().mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    found = principal_components(given, 3)
    for number in range(3):
        sign = np.sign(axes[number][np.abs(axes[number]).argmax()])
        assert np.allclose(found.axes[number], sign * axes[number], atol=1e-12)
        assert np.allclose(found.scores[:, number], centred @ (sign * axes[number]), atol=1e-12)
    assert np.allclose(found.shares, (values**2 / (values**2).sum())[:3], atol=1e-12)


def test_the_sign_does_not_depend_on_the_order_of_the_rows():
    given, order = rows(), torch.randperm(40, generator=torch.Generator().manual_seed(1))
    one, other = principal_components(given), principal_components(given[order])
    assert torch.allclose(one.axes, other.axes)
    assert torch.allclose(one.scores[order], other.scores)
    assert (one.axes.gather(1, one.axes.abs().argmax(dim=1, keepdim=True)) > 0).all()


def test_a_single_direction_explains_everything():
    direction = torch.tensor([3.0, -4.0]) / 5
    found = principal_components(torch.tensor([[-1.0], [0.0], [1.0]]) * direction, 2)
    assert torch.allclose(found.axes[0], -direction.double(), atol=1e-7)  # the entry of largest magnitude is positive
    assert torch.allclose(found.scores[:, 0], torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64), atol=1e-7)
    assert torch.allclose(found.shares, torch.tensor([1.0, 0.0], dtype=torch.float64))


def test_rows_that_do_not_differ_explain_nothing():
    found = principal_components(torch.ones(5, 4), 3)
    assert found.shares.tolist() == [0, 0, 0]
    assert not found.scores.any()


def test_no_more_components_than_channels():
    assert principal_components(rows(channels=2), 3).scores.shape == (40, 2)
