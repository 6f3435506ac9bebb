"""Masks: 1 where the image is shown, 0 where it is hidden. Random, planned, or made of a layer's channels."""

import math
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.quasirandom import SobolEngine

from seewhy.errors import ConfigError
from seewhy.ops.channels import ratio
from seewhy.ops.filters import resize

MOST_CELLS = SobolEngine.MAXDIM // 2
"""Sobol sequences have no more axes than twice this."""


def per_axis(value: int | tuple[int, ...], axes: int, what: str) -> tuple[int, ...]:
    """Return a number for each spatial axis, from one for all or one for each; raise `ConfigError` where they do not fit."""
    numbers = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(numbers) != axes:
        raise ConfigError(f"{what} wants one number, or one for each of the {axes} axes of the input; got {value!r}")
    return numbers


def random_masks(
    size: tuple[int, ...], cells: tuple[int, ...], keep: float, generator: Generator
) -> Iterator[Float[Tensor, "1 *spatial"]]:
    """Yield masks without end: coarse cells of 0 and 1, interpolated linearly and shifted by part of a cell.

    The shift is uniform over one cell, so every pixel, those at the border too, has the same law: mean `keep`, and the variance that
    `mask_variance` gives.

    Args:
        size: of the masks.
        cells: how many cells go into the size, along each axis.
        keep: how likely a cell is 1.
        generator: on the CPU.
    """
    while True:
        shifts = torch.rand(len(size), generator=generator, dtype=torch.float64)
        nodes = torch.rand([count + 2 for count in cells], generator=generator, dtype=torch.float64)
        mask = (nodes < keep).double()
        for axis, (length, count, shift) in enumerate(zip(size, cells, shifts.tolist(), strict=True)):
            mask = (mask.movedim(axis, -1) @ _hats(length, count, shift).T).movedim(-1, axis)
        yield mask[None]


def _hats(length: int, count: int, shift: float) -> Float[Tensor, "length nodes"]:
    """Return how much each node adds to each pixel: the interpolation between the two nearest, `count` nodes apart over the length."""
    place = (torch.arange(length, dtype=torch.float64) + 0.5) * (count / length) + shift
    return (1 - (place[:, None] - torch.arange(count + 2, dtype=torch.float64)).abs()).relu()


def mask_variance(keep: float, axes: int) -> float:
    """Return the variance of one pixel of `random_masks`.

    A pixel is (1 - t) a + t b along an axis, a and b independent and t uniform: E[(1 - t)^2 + t^2] = 2 / 3 of their variance is left.
    """
    return keep * (1 - keep) * (2 / 3) ** axes


def balanced_cells(samples: int, cells: int, keep: float, generator: Generator) -> Float[Tensor, "n d"]:
    """Return cells of 0 and 1, one mask a row: each cell is 1 in the same number of masks, in an order of its own (Latin hypercube)."""
    order = torch.rand(samples, cells, generator=generator, dtype=torch.float64).argsort(dim=0)
    return (order < min(samples - 1, max(1, round(keep * samples)))).double()


def sobol_pairs(cells: int, generator: Generator) -> Iterator[tuple[Float[Tensor, " d"], Float[Tensor, " d"]]]:
    """Yield pairs of rows of values from 0 to 1 without end: two independent designs, halves of one scrambled Sobol sequence.

    Raises:
        ConfigError: there are more cells than `MOST_CELLS`.
    """
    if cells > MOST_CELLS:
        raise ConfigError(f"a Sobol sequence serves at most {MOST_CELLS} cells, got {cells}")
    seed = int(torch.randint(2**31, (1,), generator=generator))
    engine = SobolEngine(2 * cells, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    while True:
        row = engine.draw(1, dtype=torch.float64)[0]
        yield row[:cells], row[cells:]


def cell_masks(
    values: Iterable[Float[Tensor, " d"]], cells: tuple[int, ...], size: tuple[int, ...]
) -> Iterator[Float[Tensor, "1 *spatial"]]:
    """Yield a mask for each row of cell values: boxes, interpolated linearly between their centres."""
    for row in values:
        yield resize(row.view(1, *cells), size)


def channel_mask(maps: Float[Tensor, "b *spatial"], size: tuple[int, ...]) -> Float[Tensor, "b *resized"]:
    """Return maps resized and brought to the range from 0 to 1, each by its own least and greatest value; a constant becomes 0."""
    resized = resize(maps, size)
    axes = tuple(range(1, resized.dim()))
    low, high = resized.amin(dim=axes, keepdim=True), resized.amax(dim=axes, keepdim=True)
    return ratio(resized - low, high - low)


def strongest(strength: Float[Tensor, "b c"], count: int) -> Int[Tensor, "b n"]:
    """Return the channels of the greatest strength, at most `count`, in their own order; of equals the first."""
    best = strength.argsort(dim=1, descending=True, stable=True)[:, :count]
    return best.sort(dim=1).values


def of_channels(activation: Float[Tensor, "b c *spatial"], chosen: Int[Tensor, "b n"]) -> Float[Tensor, "b n *spatial"]:
    """Return some channels of each image."""
    return activation.take_along_dim(chosen.view(*chosen.shape, *[1] * (activation.dim() - 2)), dim=1)


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Return where windows begin along an axis; the last one is moved back so that it ends at the border."""
    return [
        min(start, length - window) for start in range(0, math.ceil((length - window) / stride) * stride + 1, stride)
    ]


def covering(starts: list[int], window: int) -> list[int]:
    """Return as few of the starts as cover what all of them cover together."""
    chosen = [starts[0]]
    while chosen[-1] != starts[-1]:
        chosen.append(max(start for start in starts if start <= chosen[-1] + window))
    return chosen
