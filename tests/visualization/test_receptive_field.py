"""The effective receptive field of stacks of convolutions is what convolving their kernels gives."""

import numpy as np
import pytest
import torch
from torch import nn

from seewhy.engine.model import Model
from seewhy.engine.network import Network
from seewhy.visualization.receptive_field import SHARE, effective_field


class Stack(nn.Module):
    """Convolutions with kernels of ones, then one number."""

    def __init__(self, kernels, strides=None):
        super().__init__()
        strides = strides or [1] * len(kernels)
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 1, k, s, k // 2, bias=False) for k, s in zip(kernels, strides, strict=True))
        )
        for layer in self.layers:
            nn.init.ones_(layer.weight)

    def forward(self, x):
        return self.layers(x).mean(dim=(2, 3))


def reach_of(module, size=41, cell=None):
    network = Network(Model(module.double().eval()))
    inputs = torch.randn(2, 1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    grid = tuple(module.layers(inputs.double()).shape[2:])
    middle = (grid[0] // 2) * grid[1] + grid[1] // 2 if cell is None else cell
    units = torch.zeros(2, dtype=torch.long)
    found = effective_field(network, "layers", inputs, channels=units, positions=torch.full((2,), middle), grid=grid)
    return found and (found.reach, *found.shift)


def by_hand(kernels):
    """Convolve rows of ones; the gradient is the outer product of the row with itself."""
    row = np.ones(1)
    for kernel in kernels:
        row = np.convolve(row, np.ones(kernel))
    row /= row.sum()
    middle = len(row) // 2
    for half in range(middle + 1):
        if row[middle - half : middle + half + 1].sum() ** 2 >= SHARE:
            return half + 0.5
    raise AssertionError


@pytest.mark.parametrize("kernels", [[1], [3], [5], [3, 3, 3], [3] * 8, [7, 5, 3]])
def test_the_square_is_that_of_the_convolved_kernels(kernels):
    assert reach_of(Stack(kernels)) == (by_hand(kernels), 0, 0)


def test_it_is_smaller_than_the_theoretical_field_and_grows_with_the_root_of_the_depth():
    (shallow, *_), (deep, *_) = reach_of(Stack([3] * 4), 81), reach_of(Stack([3] * 16), 81)
    assert deep < 0.6 * (16 + 0.5)  # the theoretical field reaches 16.5 pixels
    assert deep / shallow == pytest.approx(2, abs=0.35)  # Luo et al. 2016, section 2.2: the square root of the depth


def test_it_does_not_depend_on_where_the_unit_is():
    kernels = [3, 3]
    corner = 10 * 41 + 30
    assert reach_of(Stack(kernels), cell=corner) == (by_hand(kernels), 0, 0)


def test_strides_are_followed_to_the_pixels():
    # cell y looks at pixels 4 y - 3 to 4 y + 3 with weights 1 1 2 1 2 1 1; the middle of its share of the picture is 4 y + 2
    row = np.array([1, 1, 2, 1, 2, 1, 1]) / 9
    assert row[1:-1].sum() ** 2 < SHARE
    assert reach_of(Stack([3, 3], [2, 2]), 64) == (3.5, -1.5, -1.5)


def test_a_dead_unit_and_one_that_sees_everything_have_none():
    dead = Stack([3])
    nn.init.zeros_(dead.layers[0].weight)
    assert reach_of(dead) is None
    assert reach_of(Stack([21]), 11) is None
