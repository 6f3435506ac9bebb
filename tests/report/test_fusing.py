"""Maps of overlapping windows are averaged frame by frame, and only the frames of one window are held."""

import numpy as np
import pytest
import torch

from seewhy.core.clip import Clip
from seewhy.errors import ShapeError
from seewhy.report.fusing import Fusing


def window(first, count=4, stride=1):
    numbers = tuple(range(first, first + count * stride, stride))
    return Clip(np.zeros((count, 2, 2, 3), np.uint8), tuple(n / 10 for n in numbers), numbers, 10.0)


def test_frames_in_two_windows_get_the_mean(tmp_path):
    with (tmp_path / "maps").open("wb") as file:
        fusing = Fusing(file, tmp_path / "maps")
        fusing.add(window(0), torch.full((4, 3, 3), 1.0))
        fusing.add(window(2), torch.full((4, 3, 3), 4.0))
        found = fusing.done()
    assert found.numbers == (0, 1, 2, 3, 4, 5)
    assert found.windows == (1, 1, 2, 2, 1, 1)
    assert found.seconds == pytest.approx([n / 10 for n in range(6)])
    assert found.maps()[:, 1, 1].tolist() == [1.0, 1.0, 2.5, 2.5, 4.0, 4.0]
    assert found.importance.tolist() == pytest.approx([9, 9, 22.5, 22.5, 36, 36])


def test_windows_that_interleave_keep_the_order_of_frames(tmp_path):
    with (tmp_path / "maps").open("wb") as file:
        fusing = Fusing(file, tmp_path / "maps")
        fusing.add(window(0, 4, 2), torch.arange(4.0)[:, None, None].expand(4, 1, 1))  # 0 2 4 6
        fusing.add(window(3, 4, 2), 10 + torch.arange(4.0)[:, None, None].expand(4, 1, 1))  # 3 5 7 9
        found = fusing.done()
    assert found.numbers == (0, 2, 3, 4, 5, 6, 7, 9)
    assert found.maps()[:, 0, 0].tolist() == [0, 1, 10, 2, 11, 3, 12, 13]


def test_memory_is_that_of_one_window(tmp_path):
    with (tmp_path / "maps").open("wb") as file:
        fusing = Fusing(file, tmp_path / "maps")
        most = 0
        for first in range(0, 400, 2):
            fusing.add(window(first), torch.zeros(4, 8, 8))
            most = max(most, len(fusing._open))
        found = fusing.done()
    assert most <= 6
    assert len(found.numbers) == 402
    assert (tmp_path / "maps").stat().st_size == 402 * 8 * 8 * 4


def test_maps_of_another_size_are_refused(tmp_path):
    with (tmp_path / "maps").open("wb") as file:
        fusing = Fusing(file, tmp_path / "maps")
        fusing.add(window(0), torch.zeros(4, 2, 2))
        with pytest.raises(ShapeError, match="one size"):
            fusing.add(window(2), torch.zeros(4, 3, 3))
        with pytest.raises(ShapeError, match="no windows"):
            Fusing(file, tmp_path / "maps").done()
