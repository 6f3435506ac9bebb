"""A palette can be read without colour vision, and a value of nothing is not drawn."""

import numpy as np
import pytest

from seewhy.errors import ConfigError, ShapeError
from seewhy.render.colors import PALETTES, colorize, oklab_to_srgb, palette_table

UNSIGNED = [name for name, signed in PALETTES.items() if not signed]
SIGNED = [name for name, signed in PALETTES.items() if signed]

# The way there as Ottosson 2020 prints it; the package holds only the way back.
RGB_TO_CONE = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
CONE_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def srgb_to_oklab(rgb: np.ndarray) -> np.ndarray:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ RGB_TO_CONE.T) @ CONE_TO_LAB.T


def lightness(name: str) -> np.ndarray:
    return srgb_to_oklab(palette_table(name, signed=PALETTES[name]) / 255)[:, 0]


@pytest.mark.parametrize("name", UNSIGNED)
def test_unsigned_palettes_rise_in_lightness_over_a_wide_range(name):
    light = lightness(name)
    assert np.diff(light).min() > -0.003  # one step of eight bits
    assert light[-1] - light[0] > 0.6


@pytest.mark.parametrize("name", SIGNED)
def test_signed_palettes_are_equally_light_on_both_sides_and_fall_away_from_zero(name):
    light = lightness(name)
    np.testing.assert_allclose(light, light[::-1], atol=0.006)
    assert np.diff(light[128:]).max() < 0.003
    assert light[128] - light[-1] > 0.3


@pytest.mark.parametrize("name", SIGNED)
def test_signed_palettes_are_neutral_at_zero_and_fit_on_the_screen(name):
    assert np.ptp(palette_table(name, signed=True)[127:129].astype(int), axis=1).max() <= 3
    assert palette_table(name, signed=True)[[0, -1]].max(axis=1).min() < 255  # cut channels would sit at 255


@pytest.mark.parametrize("name", SIGNED)
def test_the_two_signs_differ_for_someone_without_green_cones(name):
    """Machado 2009, deuteranopia: medium for and medium against stay far apart."""
    seen = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    rgb = palette_table(name, signed=True)[[64, 191]] / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ seen.T
    against, in_favour = srgb_to_oklab(
        np.clip(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055), 0, 1)
    )
    assert np.linalg.norm(against - in_favour) > 0.1


def test_oklab_of_known_colours():
    """White is (1, 0, 0); the values of red are those of the CSS Color 4 sample conversions."""
    np.testing.assert_allclose(
        srgb_to_oklab(np.array([[1.0, 1, 1], [1, 0, 0]])), [[1, 0, 0], [0.62796, 0.22486, 0.12585]], atol=2e-4
    )
    there = np.array([[0.2, 0.5, 0.7], [0.01, 0.9, 0.3]])
    np.testing.assert_allclose(oklab_to_srgb(srgb_to_oklab(there)), there, atol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
def test_zero_and_nan_are_transparent_and_opacity_follows_magnitude(signed):
    values = np.array([[np.nan, 0.0, 0.1, 0.5, 1.0, 7.0]])
    alpha = colorize(values, signed=signed, limit=1.0, opacity=0.8)[0, :, 3].tolist()
    assert alpha[:2] == [0, 0]
    assert 0 < alpha[2] < alpha[3] < alpha[4] == alpha[5] == 204


def test_signs_get_the_same_opacity_and_the_two_ends_of_the_palette():
    rgba = colorize(np.array([[-2.0, 2.0]]), signed=True, limit=2.0)[0]
    assert rgba[0, 3] == rgba[1, 3]
    table = palette_table("purple-orange", signed=True)
    assert (rgba[:, :3] == table[[0, 255]]).all()


def test_negative_values_of_an_unsigned_map_are_not_drawn():
    assert colorize(np.array([[-3.0, -1e-9]]), signed=False, limit=1.0)[..., 3].tolist() == [[0, 0]]


def test_a_map_without_evidence_has_no_colour():
    assert not colorize(np.zeros((3, 4)), signed=False, limit=0.0)[..., 3].any()


@pytest.mark.parametrize(
    ("palette", "signed", "words"),
    [
        ("jet", False, "'inferno', 'cividis'"),
        ("turbo", False, "no palette"),
        ("infreno", False, "nearest: 'inferno'"),
        ("inferno", True, "not for signed maps; take 'purple-orange' or 'cool-warm'"),
        ("cool-warm", False, "not for unsigned maps"),
    ],
)
def test_an_unfit_palette_is_refused_with_the_fit_ones(palette, signed, words):
    with pytest.raises(ConfigError, match=words):
        colorize(np.ones((2, 2)), signed=signed, limit=1.0, palette=palette)


@pytest.mark.parametrize(("limit", "opacity"), [(-1.0, 0.5), (np.nan, 0.5), (np.inf, 0.5), (1.0, 1.1), (1.0, -0.1)])
def test_a_limit_or_opacity_out_of_range_is_refused(limit, opacity):
    with pytest.raises(ConfigError):
        colorize(np.ones((2, 2)), signed=False, limit=limit, opacity=opacity)


def test_a_table_cannot_be_changed_by_its_reader():
    for name, signed in PALETTES.items():
        with pytest.raises(ValueError, match="read-only"):
            palette_table(name, signed=signed)[0] = 0


@pytest.mark.door
def test_a_stack_of_maps_is_refused():
    with pytest.raises(ShapeError, match=r"\(1, 2, 2\)"):
        colorize(np.ones((1, 2, 2)), signed=False, limit=1.0)
