"""Views: still ones are the picture itself, known movements move as they should, and seeds repeat."""

import pytest
import torch
from torch import Generator

from seewhy.errors import ConfigError
from seewhy.visualization.views import Views


def seeded(seed=0):
    return Generator().manual_seed(seed)


def random(*shape):
    return torch.randn(shape, generator=seeded()).sigmoid()


@pytest.fixture
def drawing(monkeypatch):
    """Make every draw the given five numbers, from -1 to 1: angle, scale, crop, across, down."""

    def fix(*numbers):
        def rand(*shape, generator):
            return ((torch.tensor(numbers)[:, None] + 1) / 2).expand(*shape)

        monkeypatch.setattr(torch, "rand", rand)

    return fix


@pytest.mark.parametrize("padding", ["mirror", "edge", "grey"])
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 9, 20), (5, 21, 8)])
def test_still_views_are_the_picture(shape, padding):
    picture = torch.rand(shape, generator=seeded())
    views = Views(count=3, turn=0.0, scale=0.0, shift=0.0, padding=padding).of(picture, seeded(1))
    torch.testing.assert_close(views, picture.expand(3, *shape), atol=1e-5, rtol=0)


def test_a_quarter_turn_of_a_picture_that_is_not_square(drawing):
    drawing(1.0, 0.0, 0.0, 0.0, 0.0)
    picture = random(2, 8, 12)
    [view] = Views(count=1, turn=90.0, scale=0.0, shift=0.0).of(picture, seeded())
    middle = picture[:, :, 2:10]
    torch.testing.assert_close(view[:, :, 2:10], torch.rot90(middle, 1, (1, 2)), atol=1e-4, rtol=0)


def test_a_shift_moves_by_whole_pixels(drawing):
    drawing(0.0, 0.0, 0.0, 1.0, -1.0)
    picture = random(3, 10, 14)
    [view] = Views(count=1, turn=0.0, scale=0.0, shift=3.0).of(picture, seeded())
    torch.testing.assert_close(view[:, 3:, :-3], picture[:, :-3, 3:], atol=1e-4, rtol=0)


def test_a_crop_shows_its_share_at_its_corner_and_nothing_from_beyond(drawing):
    drawing(0.0, 0.0, 0.0, -1.0, 1.0)
    picture = random(3, 16, 16)
    [view] = Views(count=1, turn=0.0, scale=0.0, shift=0.0, crop=(0.5, 0.5)).of(picture, seeded(), (8, 8))
    torch.testing.assert_close(view, picture[:, 8:, :8], atol=1e-4, rtol=0)


def test_views_have_the_size_that_is_asked_for():
    views = Views(count=2, crop=(0.4, 0.8)).of(torch.rand(4, 30, 40), seeded(), (11, 7))
    assert views.shape == (2, 4, 11, 7)


def test_beyond_the_border_is_grey_edge_or_mirror(drawing):
    drawing(0.0, 0.0, 0.0, 1.0, 0.0)
    picture = torch.arange(8.0).expand(1, 8, 8) / 8
    beyond = {}
    for padding in ("grey", "edge", "mirror"):
        [view] = Views(count=1, turn=0.0, scale=0.0, shift=2.0, padding=padding).of(picture, seeded())
        beyond[padding] = view[0, 4, -1]
    assert beyond["grey"] == 0.5
    assert beyond["edge"] == pytest.approx(7 / 8, abs=1e-5)
    assert beyond["mirror"] == pytest.approx(6 / 8, abs=1e-5)


def test_noise_has_its_deviation():
    views = Views(count=4, turn=0.0, scale=0.0, shift=0.0, noise=0.2).of(torch.full((3, 64, 64), 0.5), seeded())
    assert float((views - 0.5).std()) == pytest.approx(0.2, rel=0.02)
    assert float(views.mean()) == pytest.approx(0.5, abs=0.005)


def test_views_repeat_with_their_seed_and_differ_from_each_other():
    picture, views = torch.rand(3, 20, 20, generator=seeded()), Views(count=3, crop=(0.5, 0.9), noise=0.1)
    first, again, other = (views.of(picture, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize(
    "settings", [{"count": 0}, {"crop": (0.9, 0.5)}, {"crop": (0.0, 1.0)}, {"scale": 1.0}, {"padding": "black"}]
)
def test_settings_out_of_range_are_said(settings):
    with pytest.raises(ConfigError):
        Views(**settings)
