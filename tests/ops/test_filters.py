import pytest
import torch

from seewhy.ops.filters import gaussian_blur


def test_a_deviation_for_each_axis_blurs_each_by_its_own_and_leaves_zero_alone():
    """The variance of what one point becomes is sigma squared along each axis."""
    images = torch.zeros(1, 1, 31, 41, 51, dtype=torch.float64)
    images[0, 0, 15, 20, 25] = 1
    found = gaussian_blur(images, (0, 2.0, 3.0))[0, 0]
    assert float(found[:15].sum() + found[16:].sum()) == 0
    for axis, sigma in ((1, 2.0), (2, 3.0)):
        line = found.sum(dim=tuple(other for other in range(3) if other != axis))
        places = torch.arange(len(line)) - len(line) // 2
        assert float((line * places**2).sum()) == pytest.approx(sigma**2, rel=0.05)
