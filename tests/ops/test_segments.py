import time

import numpy as np
import pytest
import torch
from scipy import ndimage

from seewhy.errors import ShapeError
from seewhy.ops.segments import (
    _cielab,
    _connected,
    centroids,
    grid_segments,
    members,
    painted,
    relabelled,
    slic_segments,
)


def picture(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """A red disc and a green bar on a noisy blue ground, and which pixel is which."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    truth = torch.zeros(size, size, dtype=torch.long)
    truth[(y - 20) ** 2 + (x - 22) ** 2 < 150] = 1
    truth[45:58, 8:60] = 2
    colours = torch.tensor([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1], [0.1, 0.7, 0.2]])
    noise = 0.03 * torch.randn(3, size, size, generator=torch.Generator().manual_seed(0))
    return (colours[truth].permute(2, 0, 1) + noise).clamp(0, 1), truth


class TestSLIC:
    @pytest.mark.parametrize("count", [12, 40])
    def test_segments_keep_to_the_regions_of_a_picture_with_known_ones(self, count):
        image, truth = picture()
        found = slic_segments(image, count)
        mixed = sum(int(inside.sum() - torch.bincount(truth[inside]).max()) for inside in members(found))
        boxes = grid_segments((64, 64), count)
        mixed_boxes = sum(int(inside.sum() - torch.bincount(truth[inside]).max()) for inside in members(boxes))
        assert mixed <= 0.01 * 64 * 64 < mixed_boxes

    def test_each_segment_is_one_piece_and_none_is_tiny(self):
        image, _ = picture()
        found = slic_segments(image, 40).numpy()
        for number in range(found.max() + 1):
            assert ndimage.label(found == number)[1] == 1
            assert (found == number).sum() >= 64 * 64 / 40 / 4

    def test_numbers_are_those_of_reading_order(self):
        found = slic_segments(picture()[0], 40).flatten().numpy()
        numbers, first = np.unique(found, return_index=True)
        assert numbers.tolist() == list(range(len(numbers)))
        assert (np.diff(first) > 0).all()

    def test_an_even_picture_is_cut_into_boxes(self):
        assert torch.equal(slic_segments(torch.zeros(3, 60, 60), 9), grid_segments((60, 60), 9))

    def test_units_and_offset_of_the_input_change_nothing(self):
        image = picture()[0].double()
        assert torch.equal(slic_segments(image, 30), slic_segments(4 * image - 2, 30))

    def test_much_compactness_gives_boxes_and_little_follows_colour(self):
        image, truth = picture()
        assert torch.equal(slic_segments(image, 16, compactness=1e5), grid_segments((64, 64), 16))
        by_colour = slic_segments(image, 16, compactness=1.0)
        assert all(len(truth[inside].unique()) == 1 for inside in members(by_colour))

    @pytest.mark.parametrize(("channels", "size"), [(1, (8, 8)), (4, (9, 7)), (3, (6, 6, 6)), (2, (50,))])
    def test_any_number_of_channels_and_axes(self, channels, size):
        image = torch.zeros(channels, *size)
        image[:, size[0] // 3 :] = 1.0
        found = slic_segments(image, 4)
        assert found.shape == size
        dark, bright = found[: size[0] // 3].unique(), found[size[0] // 3 :].unique()
        assert not set(dark.tolist()) & set(bright.tolist())

    def test_two_pieces_of_one_colour_are_two_segments(self):
        """With two boxes and hardly any weight on place, colours decide; the white stripe parts the black ground."""
        image = torch.zeros(1, 6, 12)
        image[:, :, 8:10] = 1.0
        found = slic_segments(image, 2, compactness=1e-3)
        assert found.tolist() == 6 * [8 * [0] + 2 * [1] + 2 * [2]]

    def test_a_small_piece_joins_what_surrounds_it(self):
        """Two dark pixels in a bright half: the only neighbour is bright."""
        image = torch.zeros(1, 8, 16)
        image[:, :, 8:] = 1.0
        image[:, 0, 14:] = 0.0
        assert slic_segments(image, 2, compactness=1e-3).tolist() == 8 * [8 * [0] + 8 * [1]]

    def test_a_small_piece_joins_the_neighbour_of_the_nearest_colour(self):
        """The 2 has three sides to the 1, and the colour of the 0."""
        labels = torch.tensor([[0, 0, 1, 1], [0, 0, 2, 1], [0, 0, 1, 1]])
        colours = torch.tensor([0.0, 1.0, 0.4])[labels][None]
        assert _connected(labels, colours, 2).tolist() == [[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]]
        assert _connected(labels, colours, 1).tolist() == [[0, 0, 1, 1], [0, 0, 2, 1], [0, 0, 1, 1]]

    def test_a_photo_takes_less_than_a_third_of_a_second(self):
        """It takes about 0.07 s; the bound leaves room for a busy machine."""
        image = torch.rand(3, 224, 224, generator=torch.Generator().manual_seed(1))
        smooth = torch.nn.functional.avg_pool2d(image[None], 15, 1, 7)[0]
        slic_segments(smooth, 50)
        begun = time.process_time()
        slic_segments(smooth, 50)
        assert time.process_time() - begun < 0.33


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ],
)
def test_cielab_of_the_primary_colours(rgb, lab):
    """Published values of the corners of sRGB under D65."""
    found = _cielab(torch.tensor(rgb, dtype=torch.float64).float().view(3, 1))[:, 0]
    torch.testing.assert_close(found, torch.tensor(lab, dtype=torch.float32), rtol=0, atol=0.06)


def test_boxes_are_as_many_as_asked_and_nearly_square():
    found = grid_segments((8, 12), 6)
    assert found[0].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert found[:, 0].tolist() == [0] * 4 + [3] * 4


@pytest.mark.parametrize(
    ("count", "boxes"), [(2, (2, 1)), (3, (2, 2)), (4, (2, 2)), (50, (7, 7)), (64, (8, 8)), (999, (8, 8))]
)
def test_boxes_of_a_square_come_as_near_to_the_count_as_they_can(count, boxes):
    found = grid_segments((8, 8), count)
    assert (len(found[:, 0].unique()), len(found[0].unique())) == boxes


def test_a_painted_map_adds_up_to_the_values():
    segments = torch.tensor([[0, 0, 1], [2, 1, 1]])
    found = painted(torch.tensor([3.0, -6.0, 5.0]), segments)
    assert found.tolist() == [[1.5, 1.5, -2.0], [5.0, -2.0, -2.0]]


def test_numbers_become_0_to_n():
    assert relabelled(torch.tensor([[7, -2], [7, 90]])).tolist() == [[1, 0], [1, 2]]


def test_centroids_by_hand():
    assert centroids(torch.tensor([[0, 0, 1], [2, 1, 1]])).tolist() == [[0, 0.5], [2 / 3, 5 / 3], [1, 0]]


@pytest.mark.parametrize(
    "wrong", [torch.zeros(0, 4, dtype=torch.long), pytest.param(torch.zeros(4, 4), marks=pytest.mark.door)]
)
def test_an_empty_or_broken_map_is_refused(wrong):
    with pytest.raises(ShapeError, match="whole numbers"):
        relabelled(wrong)


def test_boxes_of_a_clip_share_out_time_as_they_do_the_sides():
    """16 frames of 224 x 224 in about 64: four parts of each axis, not seven of each side that last all the time."""
    found = grid_segments((16, 224, 224), 64)
    assert int(found.max()) + 1 == 64
    assert found[:, 0, 0].unique().numel() == 4 and found[0, :, 0].unique().numel() == 4


def test_superpixels_of_a_clip_end_in_time():
    """A clip that is black and then white: no segment holds frames of both halves, and none lasts all the time."""
    clip = torch.zeros(3, 8, 32, 32)
    clip[:, 4:] = 1
    found = slic_segments(clip, 16)
    assert not set(found[:4].unique().tolist()) & set(found[4:].unique().tolist())
    assert found.max() > 3
