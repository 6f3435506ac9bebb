"""Occlusion: exact on a linear network, window by window against a loop, and against captum."""

from itertools import product

import pytest
import torch
from gradient_oracle import explained
from torch import Tensor

import seewhy


def by_hand(network, images: Tensor, fill: Tensor, starts, window: tuple[int, int]) -> Tensor:
    """Return the mean fall of the score over the windows that cover a pixel, one window after the other."""
    fallen, times = torch.zeros(len(images), *images.shape[2:]).double(), torch.zeros(images.shape[2:]).double()
    with torch.no_grad():
        score = network(images)[:, 1]
        for top, left in product(*starts):
            rows, columns = slice(top, top + window[0]), slice(left, left + window[1])
            covered = images.clone()
            covered[:, :, rows, columns] = fill.expand_as(images)[:, :, rows, columns]
            fallen[:, rows, columns] += (score - network(covered)[:, 1])[:, None, None]
            times[rows, columns] += 1
    return fallen / times


def test_on_a_linear_network_windows_of_a_pixel_give_weight_times_change(linear, images):
    found = explained(linear, images, "occlusion", window=1, stride=1, fill="zero").heatmap
    torch.testing.assert_close(found, (linear.weight[1] * images).sum(dim=1).detach())


def test_on_a_linear_network_a_window_adds_up_what_its_pixels_give(linear, images):
    """Without overlap each window holds the sum of weight times change over its pixels."""
    mean = images.mean(dim=(2, 3), keepdim=True)
    share = (linear.weight[1] * (images - mean)).sum(dim=1).detach()
    sums = share.unfold(1, 4, 4).unfold(2, 4, 4).sum(dim=(3, 4))
    expected = sums.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    torch.testing.assert_close(explained(linear, images, "occlusion", window=4, stride=4).heatmap, expected)


@pytest.mark.parametrize(
    ("window", "stride", "starts"),
    [
        ((3, 4), (2, 3), ([0, 2, 4, 5], [0, 3, 4])),  # the last windows are moved back to the border
        (5, 5, ([0, 3], [0, 3])),
        (8, 1, ([0], [0])),
        (None, None, (range(8), range(8))),  # a fourteenth of 8 pixels is one
    ],
)
def test_each_pixel_gets_the_mean_over_the_windows_that_cover_it(window, stride, starts, cnn, images):
    size = (1, 1) if window is None else window if isinstance(window, tuple) else (window, window)
    expected = by_hand(cnn, images, images.mean(dim=(2, 3), keepdim=True), starts, size)
    found = explained(cnn, images, "occlusion", window=window, stride=stride)
    torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-11)


def test_a_sixteen_pixel_window_in_a_picture_of_224(linear):
    class Size(seewhy.core.method.Anatomy):
        target_layer, token_layer, biased_layers, input_shape = "", "", (), (3, 224, 224)

        def activation_shape(self, layer: str) -> tuple[int, ...]:
            raise AssertionError("occlusion asks about no layer")

    assert seewhy.method("occlusion").cost_on(Size()) == seewhy.Cost(1 + 27 * 27)
    assert seewhy.method("occlusion", window=16, stride=8).cost_on(Size()) == seewhy.Cost(1 + 27 * 27)
    assert seewhy.method("occlusion", budget=500).cost_on(Size()) == seewhy.Cost(1 + 500)
    assert seewhy.method("occlusion", budget="3s").cost_on(Size()) is None


@pytest.mark.parametrize(("window", "stride"), [(4, 2), (2, 2), (6, 1)])
def test_captum_agrees_where_windows_end_at_the_border_by_themselves(window, stride, cnn, images):
    captum = pytest.importorskip("captum.attr")
    expected = captum.Occlusion(cnn).attribute(
        images, (3, window, window), strides=(3, stride, stride), target=1, baselines=0
    )
    found = explained(cnn, images, "occlusion", window=window, stride=stride, fill="zero").heatmap
    torch.testing.assert_close(found, expected[:, 0].double(), rtol=1e-6, atol=1e-6)


def test_an_image_to_fill_with(cnn, images):
    fill = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(9))
    expected = by_hand(cnn, images, fill.double(), ([0, 4], [0, 4]), (4, 4))
    found = explained(cnn, images, "occlusion", window=4, stride=4, fill=fill).heatmap
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


class TestBudget:
    def test_one_that_is_large_enough_changes_nothing(self, cnn, images):
        free = explained(cnn, images, "occlusion", window=4, stride=2).heatmap
        bound = explained(cnn, images, "occlusion", window=4, stride=2, budget=9).heatmap
        torch.testing.assert_close(free, bound)

    def test_a_small_one_covers_each_pixel_once(self, cnn, images):
        found = explained(cnn, images, "occlusion", window=4, stride=2, budget=4).heatmap
        expected = by_hand(cnn, images, images.mean(dim=(2, 3), keepdim=True), ([0, 4], [0, 4]), (4, 4))
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)

    def test_a_time_is_kept_once_the_image_is_covered(self, cnn, images):
        found = explained(cnn, images, "occlusion", window=4, stride=2, budget="0.000001s", rows=1)
        expected = by_hand(cnn, images, images.mean(dim=(2, 3), keepdim=True), ([0, 4], [0, 4]), (4, 4))
        torch.testing.assert_close(found.heatmap, expected, rtol=1e-9, atol=1e-11)

    def test_one_that_does_not_cover_the_image_is_refused(self, cnn, images):
        with pytest.raises(
            seewhy.MethodError, match="4 windows of 4 x 4 are needed to cover the image once, and the budget is 3"
        ):
            explained(cnn, images, "occlusion", window=4, stride=2, budget=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 16}, "a window of 16 x 16 is larger than the image of 8 x 8 pixels"),
        ({"window": (2, 9)}, "a window of 2 x 9 is larger than the image of 8 x 8 pixels"),
        ({"window": 2, "stride": 3}, "a stride of 3 x 3 leaves gaps between windows of 2 x 2"),
        ({"window": 0}, "a window of at least 1 pixel, got 0"),
        ({"window": 2, "stride": (1, 0)}, r"a stride of at least 1 pixel, got \(1, 0\)"),
        ({"window": (2, 2, 2)}, "one for each of the 2 axes"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(settings, message, cnn, images):
    with pytest.raises(seewhy.SeewhyError, match=message) as error:
        explained(cnn, images, "occlusion", **settings)
    assert "\n" not in str(error.value)
