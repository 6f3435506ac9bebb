"""What a drawing shows: the grey photo where there is nothing, colour where there is evidence, hatching where unseen."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import ConfigError, ShapeError
from seewhy.render.scene import drawing_size, flat_rgb, resample, scale_end, scene, with_lines

GREY = Image.new("RGB", (60, 40), (120, 120, 120))


def test_a_map_without_evidence_leaves_the_grey_photo():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    drawn = np.asarray(scene(photo, np.zeros((7, 7)), (60, 40), signed=False, limit=1.0))
    assert (drawn == np.asarray(photo.convert("L"))[..., None]).all()


def test_colour_grows_with_the_evidence():
    values = np.broadcast_to(np.linspace(0, 1, 60), (40, 60))
    drawn = np.asarray(scene(GREY, values, (60, 40), signed=True, limit=1.0, outline=None), dtype=int)
    distance = np.abs(drawn - 120).sum(axis=2)[20]
    assert distance[0] == 0
    assert np.diff(distance).min() >= -2
    assert distance[-1] > 100


def test_unseen_parts_are_hatched_and_the_rest_is_not():
    values = np.zeros((40, 60))
    values[:, :20] = np.nan
    drawn = np.asarray(scene(GREY, values, (60, 40), signed=False, limit=1.0))
    assert (drawn[:, 20:] == 120).all()
    assert (drawn[:, :20] != 120).all()
    assert len(np.unique(drawn[:, :20, 0])) == 2  # a dimmed photo and a line


@pytest.mark.parametrize("ground", [0, 255])
def test_the_line_stands_out_on_black_and_on_white(ground):
    loop = np.array([[20.0, 10], [45, 10], [45, 30], [20, 30]])
    drawn = np.asarray(with_lines(Image.new("RGB", (60, 40), (ground,) * 3), [loop], 2.0).convert("L"))
    across = drawn[20, 14:27]
    assert across.max() - across.min() > 200


def test_resampling_keeps_the_mean_of_a_whole_map_and_the_unseen_part():
    values = np.random.default_rng(0).random((8, 8))
    assert resample(values, (4, 4)).mean() == pytest.approx(values.mean(), abs=0.02)
    values[:, :4] = np.nan
    large = resample(values, (80, 80))
    assert np.isnan(large[:, :40]).all()
    assert np.isfinite(large[:, 40:]).all()
    assert large[:, 40:].max() <= np.nanmax(values) + 1e-6  # nothing leaks in from the unseen part
    assert large[:, 40:].min() >= np.nanmin(values) - 1e-6


def test_a_ramp_stays_a_ramp():
    ramp = np.broadcast_to(np.arange(8.0) + 0.5, (8, 8)).copy()
    np.testing.assert_allclose(
        resample(ramp, (32, 32))[:, 4:-4], np.broadcast_to((np.arange(4, 28) + 0.5) / 4, (32, 24)), atol=1e-5
    )


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((32, 32), (480, 480)), ((4000, 3000), (900, 675)), ((640, 480), (640, 480)), ((2000, 1), (900, 1))],
)
def test_drawing_size(size, drawn):
    assert drawing_size(size) == drawn


def test_transparent_photos_lie_on_white():
    photo = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    photo.putpixel((1, 0), (10, 20, 30, 255))
    assert [flat_rgb(photo).getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), (10, 20, 30)]


def test_the_scale_ends_at_the_largest_drawn_magnitude():
    values = np.array([[-4.0, 1.0, np.nan]])
    assert scale_end(values, None, signed=True) == 4
    assert scale_end(values, None, signed=False) == 1
    assert scale_end(values, 9.0, signed=True) == 9


@pytest.mark.parametrize(
    "bad", [np.ones((1, 2, 2)), np.ones((0, 3)), np.full((2, 2), np.nan), np.array([[1.0, np.inf]])]
)
@pytest.mark.door
def test_a_map_that_cannot_be_drawn_is_refused(bad):
    with pytest.raises(ShapeError):
        scale_end(bad, None, signed=True)


@pytest.mark.parametrize("limit", [-1.0, 0.0, np.nan, np.inf])
def test_a_limit_that_fits_no_scale_is_refused(limit):
    with pytest.raises(ConfigError, match="limit"):
        scale_end(np.ones((2, 2)), limit, signed=False)
