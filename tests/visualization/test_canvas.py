"""What numbers of a canvas mean: grey for zeros, 1 / f for noise, the photos' spectrum whatever the phases."""

import math

import pytest
import torch
from torch import Generator

from seewhy.errors import ConfigError
from seewhy.visualization.canvas import COLOURS, Fourier, Pixels, coloured, radii
from seewhy.visualization.maco import Maco, magnitudes, odd, spectrum

SHAPES = [(3, 24, 24), (1, 15, 22), (4, 32, 17), (6, 9, 9)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("canvas", [Pixels(), Fourier(), Fourier(decay=1.0, finest=None)])
def test_zero_numbers_are_mid_grey(canvas, shape):
    numbers = torch.zeros_like(canvas.begin(shape, Generator().manual_seed(0)))
    picture = canvas.picture(numbers, shape)
    assert picture.shape == shape
    assert torch.equal(picture, torch.full(shape, 0.5))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("canvas", [Pixels(), Fourier(), Maco()])
def test_a_picture_has_its_shape_and_values_from_0_to_1_and_every_number_may_move(canvas, shape):
    numbers = canvas.begin(shape, Generator().manual_seed(0)).requires_grad_()
    picture = canvas.picture(numbers, shape)
    weights = torch.randn(shape, generator=Generator().manual_seed(1))
    [gradient] = torch.autograd.grad((picture * weights).sum(), [numbers])
    assert picture.shape == shape
    assert 0 <= picture.min() < picture.max() <= 1
    assert torch.isfinite(gradient).all() and (gradient != 0).float().mean() > 0.8


@pytest.mark.parametrize("decay", [0.5, 1.0, 1.5])
def test_random_numbers_have_the_spectrum_of_a_power_of_frequency(decay):
    shape = (16, 256, 256)
    canvas = Fourier(deviation=0.002, decay=decay, finest=None)
    picture = canvas.picture(canvas.begin(shape, Generator().manual_seed(0)), shape)
    strength, frequency = torch.fft.rfft2(picture.logit()).abs().mean(dim=0), radii(256, 256)
    ring = (frequency > 0.02) & (frequency < 0.4)
    x, y = frequency[ring].log(), strength[ring].log()
    slope = torch.linalg.lstsq(torch.stack([x, torch.ones_like(x)], 1), y[:, None]).solution[0, 0]
    assert float(-slope) == pytest.approx(decay, abs=0.01)


def test_a_fourier_canvas_fades_what_is_finer_than_its_limit():
    shape = (1, 128, 128)
    plain, limited = Fourier(finest=None), Fourier(finest=0.25)
    numbers = plain.begin(shape, Generator().manual_seed(0))
    ratio = (torch.fft.rfft2(c.picture(numbers, shape).logit())[0].abs() for c in (limited, plain))
    share, frequency = torch.div(*ratio), radii(128, 128)
    assert share[frequency < 0.1].min() > 0.999
    assert share[(frequency - 0.25).abs() < 1e-6].mean() == pytest.approx(0.5, abs=0.01)
    assert share[frequency > 0.45].max() < 0.01


def test_three_planes_are_mixed_to_colours_and_others_stay():
    mixed = coloured(torch.eye(3)[:, :, None])[..., 0]
    by_hand = torch.tensor(COLOURS) / max(math.hypot(*column) for column in zip(*COLOURS, strict=True))
    torch.testing.assert_close(mixed, by_hand)
    planes = torch.randn(4, 5, 5)
    assert torch.equal(coloured(planes), planes)


@pytest.mark.parametrize("shape", SHAPES)
def test_maco_keeps_its_magnitudes_whatever_the_phases(shape):
    canvas = Maco(contrast=0.7, finest=None)
    numbers = torch.randn(shape[0], shape[1], shape[2] // 2 + 1, generator=Generator().manual_seed(3)) * 10
    strength, mean = magnitudes(shape, None, torch.device("cpu"))
    wanted = 0.7 * strength
    wanted[:, 0, 0] = mean[:, 0, 0].abs() * shape[1] * shape[2]
    found = torch.fft.rfft2(canvas.planes(numbers, shape).double()).abs().float()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("width", [6, 7])
def test_phases_of_a_wave_that_is_held_twice_are_opposite(width):
    phases = odd(torch.randn(2, 8, width // 2 + 1), width)
    for column in [0, width // 2] if width % 2 == 0 else [0]:
        for row in range(8):
            torch.testing.assert_close(phases[:, row, column], -phases[:, -row % 8, column])


def test_the_table_is_that_of_photos():
    """Amplitude falls about as 1 / f, and brightness has more of it than the other two colours (Ruderman 1994; Field 1987)."""
    cycles, strengths, means = spectrum()
    assert strengths.shape == (len(cycles), 3) and len(means) == 3
    slopes = torch.tensor(strengths).log().diff(dim=0).sum(dim=0) / math.log(cycles[-1] / cycles[0])
    assert ((slopes > -1.45) & (slopes < -1.0)).all()
    assert (strengths[:12, 0] > strengths[:12, 1:].max(axis=1)).all()


def test_the_same_scene_at_twice_the_pixels_has_the_same_contrast():
    small, large = (magnitudes((3, n, n), None, torch.device("cpu"))[0] for n in (64, 128))
    torch.testing.assert_close(small[:, 1:9, 1:9] / 64**2, large[:, 1:9, 1:9] / 128**2)


def test_settings_out_of_range_are_said():
    for wrong in (lambda: Fourier(finest=0.0), lambda: Maco(contrast=-1.0), lambda: Maco(finest=0.0)):
        with pytest.raises(ConfigError):
            wrong()
