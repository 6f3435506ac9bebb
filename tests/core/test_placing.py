"""What is said in pixels of the source lands where the network sees it, after crop, letterbox and squash."""

import numpy as np
import pytest
import torch
from PIL import Image

from seewhy.core.placing import placed_masks, placed_points, placed_rectangles
from seewhy.core.sample import Sample
from seewhy.engine.model import Model
from seewhy.engine.preprocessing import prepare
from seewhy.errors import TargetError

SIZES = [(96, 64), (64, 96), (301, 77), (50, 50)]


def prepared(size: tuple[int, int], fit: str, spot: tuple[int, int, int, int]) -> Sample:
    """A black picture (w, h) with a white rectangle (x, y, w, h), prepared to 32 x 32."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    x, y, w, h = spot
    pixels[y : y + h, x : x + w] = 255
    model = Model(torch.nn.Identity(), size=32, mean=0.0, std=1.0, interpolation="bilinear")
    return prepare(Image.fromarray(pixels), "made", model, fit)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_a_mask_and_a_rectangle_land_where_the_network_sees_the_spot(size, fit):
    spot = (size[0] // 2 - 6, size[1] // 2 - 8, 14, 16)
    sample = prepared(size, fit, spot)
    mask = np.zeros(size[::-1], bool)
    mask[spot[1] : spot[1] + spot[3], spot[0] : spot[0] + spot[2]] = True
    seen = sample.inputs.mean(dim=0)
    places = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij"))
    for area in (placed_masks(mask, [sample])[0], placed_rectangles(spot, [sample])[0]):
        centres = [(places * one).flatten(1).sum(dim=1) / one.sum() for one in (seen, area)]
        torch.testing.assert_close(centres[0], centres[1], rtol=0, atol=0.6)  # within one cell
        assert float(area.sum()) == pytest.approx(float(seen.sum()), rel=0.12)
    [point] = placed_points((spot[0] + spot[2] / 2, spot[1] + spot[3] / 2), [sample])
    assert seen[int(point[0] * 32), int(point[1] * 32)] > 0.5


def test_a_rectangle_and_the_same_mask_are_the_same_area():
    sample = prepared((301, 77), "pad", (0, 0, 5, 5))
    mask = np.zeros((77, 301))
    mask[20:41, 33:90] = 1
    torch.testing.assert_close(
        placed_masks(mask, [sample])[0], placed_rectangles((33, 20, 57, 21), [sample])[0], rtol=0, atol=1e-6
    )


def test_a_ready_input_has_its_own_pixels_and_a_clip_its_own_cells():
    ready = Sample(torch.zeros(3, 8, 8))
    mask = torch.zeros(8, 8)
    mask[2, 3] = 1
    torch.testing.assert_close(placed_masks(mask, [ready, ready])[1], mask)
    clip = Sample(torch.zeros(3, 4, 8, 8))
    assert placed_masks(torch.ones(4, 8, 8), [clip])[0].shape == (4, 8, 8)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda s: placed_masks(np.ones((64, 97)), [s]), r"the mask is 64 x 97, and made is 64 x 96"),
        (lambda s: placed_masks(np.ones((32, 32)), [s]), "size of the source picture, before it is prepared"),
        (lambda s: placed_masks(np.zeros((64, 96)), [s]), "the mask is empty"),
        (lambda s: placed_masks([np.ones((64, 96))], [s, s]), "1 masks for 2 images"),
        (lambda s: placed_rectangles((0, 0, 5, 60), [s]), "lies outside of what the network sees of made: x 16 to 80"),
        (lambda s: placed_points((2, 30), [s]), "lies outside of what the network sees"),
        (lambda s: placed_points((2, 30, 4), [s]), "3 numbers"),
    ],
)
def test_what_does_not_fit_the_picture_is_said(ask, told):
    sample = prepared((96, 64), "crop", (0, 0, 1, 1))
    with pytest.raises(TargetError, match=told):
        ask(sample)
