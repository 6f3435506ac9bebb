"""Palettes whose lightness can be read, and the step from a value to a colour and its opacity.

Unsigned maps rise in lightness from nothing to the strongest evidence. Signed maps are symmetric about zero: equal
magnitudes for and against are equally light. Palettes without an order of lightness (jet, turbo, rainbow) draw edges
where the map has none and are not offered.
"""

from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, UInt8

from seewhy.errors import ConfigError, ShapeError, nearest

# palettes.npy holds the 256 colours of "inferno" and of "cividis" (uint8, in this order). "inferno" was made by
# Nathaniel Smith and Stéfan van der Walt (CC0); "cividis" by Jamie Nuñez, Christopher Anderton and Ryan Renslow
# (PLOS ONE 2018, doi 10.1371/journal.pone.0199239). Both as they stand in matplotlib, rounded to eight bits.
_STORED = ("inferno", "cividis")

# The two sides of a signed palette in OKLab: hue in degrees and largest chroma, negative side first.
_SIDES = {"purple-orange": ((300.0, 0.185), (56.0, 0.150)), "cool-warm": ((258.0, 0.160), (27.0, 0.180))}
# Both sides share the ramp: distance from zero, lightness, share of the largest chroma.
_RAMP = ((0.0, 0.950, 0.0), (0.2, 0.895, 0.3), (0.5, 0.800, 0.65), (0.8, 0.690, 0.95), (1.0, 0.610, 1.0))

PALETTES: dict[str, bool] = {"inferno": False, "cividis": False, "purple-orange": True, "cool-warm": True}
"""Names of the palettes, and whether each is for signed maps."""

Colors = Float[np.ndarray, "n 3"]


def palette_table(name: str | None, *, signed: bool) -> UInt8[np.ndarray, "256 3"]:
    """Return the 256 colours of a palette, from the lowest value to the highest.

    Args:
        name: one of `PALETTES`; None takes "purple-orange" for signed maps and "inferno" for the others.
        signed: what the palette is wanted for.

    Raises:
        ConfigError: no such palette, or one for the other kind of map.
    """
    name = name or ("purple-orange" if signed else "inferno")
    fitting = [known for known, for_signed in PALETTES.items() if for_signed == signed]
    if name not in PALETTES:
        near = nearest(name, fitting)
        hint = f"nearest: {near}" if near else f"there are {', '.join(map(repr, PALETTES))}"
        raise ConfigError(f"no palette {name!r}; {hint}")
    if name not in fitting:
        kind = "signed" if signed else "unsigned"
        raise ConfigError(f"palette {name!r} is not for {kind} maps; take {' or '.join(map(repr, fitting))}")
    return _stored(name) if name in _STORED else _diverging(name)


def colorize(
    values: Float[np.ndarray, "h w"],
    *,
    signed: bool,
    limit: float,
    palette: str | None = None,
    opacity: float = 0.85,
) -> UInt8[np.ndarray, "h w 4"]:
    """Turn values into colour and opacity: zero is transparent, the limit has full opacity, NaN is transparent.

    Opacity is `opacity * min(1, |value| / limit) ** 0.7`, so that a weak value stays visible and a photo below it too.

    Args:
        values: the map; NaN where there is none.
        signed: negative values are evidence against; otherwise they are drawn as zero.
        limit: magnitude at the end of the colour scale, larger ones look the same; 0 only where there is no evidence.
        palette: one of `PALETTES`, fit for the sign.
        opacity: of the strongest value, in [0, 1].

    Returns:
        Red, green, blue, alpha; not multiplied by alpha.

    Raises:
        ConfigError: limit negative or not finite, opacity outside [0, 1], or an unknown palette.
        ShapeError: the map is not two-dimensional.
    """
    if values.ndim != 2:
        raise ShapeError(f"a heatmap has two axes (h, w), this array has the shape {values.shape}")
    if not (np.isfinite(limit) and limit >= 0):
        raise ConfigError(f"limit must be a finite number, 0 or more; got {limit}")
    if not 0 <= opacity <= 1:
        raise ConfigError(f"opacity must lie in [0, 1]; got {opacity}")
    table = palette_table(palette, signed=signed)
    share = relative(values, limit, signed=signed)
    place = (share + 1) / 2 if signed else share
    rgba = np.empty((*values.shape, 4), np.uint8)
    rgba[..., :3] = table[np.rint(place * 255).astype(np.intp)]
    rgba[..., 3] = np.rint(255 * opacity * np.abs(share) ** 0.7).astype(np.uint8)
    return rgba


def relative(values: Float[np.ndarray, "h w"], limit: float, *, signed: bool) -> Float[np.ndarray, "h w"]:
    """Return values as shares of the limit, cut to [0, 1] or, if signed, to [-1, 1]; NaN becomes 0."""
    if limit == 0:
        return np.zeros(values.shape)
    lowest = -1.0 if signed else 0.0
    shares: Float[np.ndarray, "h w"] = np.clip(np.nan_to_num(values.astype(np.float64), nan=0.0) / limit, lowest, 1.0)
    return shares


def oklab_to_srgb(lab: Colors) -> Colors:
    """Convert OKLab to sRGB in [0, 1]; values outside belong to colours that no screen shows.

    Source: Ottosson 2020, "A perceptual color space for image processing".
    """
    cone = lab @ _LAB_TO_CONE.T
    linear = (cone**3) @ _CONE_TO_RGB.T
    rgb: Colors = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)
    return rgb


_LAB_TO_CONE = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_CONE_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@cache
def _stored(name: str) -> UInt8[np.ndarray, "256 3"]:
    with files("seewhy.render").joinpath("palettes.npy").open("rb") as file:
        table: UInt8[np.ndarray, "256 3"] = np.load(file, allow_pickle=False)[_STORED.index(name)]
    table.setflags(write=False)
    return table


@cache
def _diverging(name: str) -> UInt8[np.ndarray, "256 3"]:
    """Compute a palette from its anchors: negative hue on the left, positive on the right, the same ramp on both."""
    value = np.linspace(-1, 1, 256)
    distance, lightness, fullness = np.array(_RAMP).T
    light = np.interp(np.abs(value), distance, lightness)
    hue, chroma = np.where(value[:, None] < 0, *np.array(_SIDES[name])).T
    strength = chroma * np.interp(np.abs(value), distance, fullness)
    angle = np.deg2rad(hue)
    lab = np.stack([light, strength * np.cos(angle), strength * np.sin(angle)], axis=1)
    table: UInt8[np.ndarray, "256 3"] = np.rint(255 * np.clip(oklab_to_srgb(lab), 0, 1)).astype(np.uint8)
    table.setflags(write=False)
    return table
