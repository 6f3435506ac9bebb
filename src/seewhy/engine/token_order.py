"""In which order the tokens of a clip or volume come: measured, by changing a part of the input and seeing which tokens change."""

from collections.abc import Callable, Iterable, Mapping
from itertools import permutations, product
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.engine.grid import Grid
from seewhy.engine.token_grids import MOST_EXTRA_TOKENS, Places

CLEARLY = 1.25
"""How many times as much a token must change with the cells that hold its own place as with the others."""

Observe = Callable[[Tensor, frozenset[str]], Mapping[str, Tensor]]
"""Runs the network on one input as far as some layers, and returns what they put out."""


def measured(
    firsts: Mapping[int, str],
    sizes: Iterable[tuple[int, ...]],
    clip: Float[Tensor, "1 c *spatial"],
    observe: Observe,
) -> Places:
    """Return the sequences of tokens of a network for clips or volumes, each with the grid on which its tokens were found to lie.

    The cells of a grid are numbered along each axis, and the numbers are written in binary: all cells with a 1 at some digit are changed
    at once, then all with a 0, and a token belongs to those that change it more. A grid is right where each of its cells is named by
    exactly one token; the order of the axes is read off. That takes about twenty passes as far as the first tokens, once for each size of
    input. A sequence that fits no grid in this way, or none in an order of axes, is left out: a wrong order would draw bars.

    Args:
        firsts: by number of tokens, the first layer that puts out so many: there tokens still tell of their own place most of all.
        sizes: grids of the network's maps of channels; all that divide the input are tried where there are none.
        clip: one input of random numbers.
        observe: runs the network.
    """
    pixels = tuple(clip.shape[2:])
    known = frozenset(size for size in sizes if len(size) == len(pixels))
    found: dict[int, Grid] = {}
    for size in sorted(known, reverse=True) or _dividing(pixels):
        open_ones = {count: name for count, name in firsts.items() if count not in found and _fits(count, size)}
        if open_ones:
            cells = _cells(size, clip, open_ones, observe)
            found |= {count: grid for count in open_ones if (grid := _grid(cells[count], size, count)) is not None}
    return Places(known, tuple(found[count] for count in sorted(found)))


def _dividing(pixels: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return every grid whose cells divide the input without a rest, square patches first."""
    sides = [[side for side in range(1, length + 1) if not length % side] for length in pixels]
    cells = sorted(product(*sides), key=lambda cell: max(cell[-2:]) / min(cell[-2:]))
    return [tuple(length // side for length, side in zip(pixels, cell, strict=True)) for cell in cells]


def _fits(count: int, size: tuple[int, ...]) -> bool:
    return prod(size) > 1 and 0 <= count - prod(size) <= MOST_EXTRA_TOKENS


def _cells(
    size: tuple[int, ...], clip: Float[Tensor, "1 c *spatial"], firsts: Mapping[int, str], observe: Observe
) -> dict[int, Int[Tensor, " n"]]:
    """Return, for each number of tokens, which cell (row by row) each token changes with; -1 where it is not clear."""
    watched = frozenset(firsts.values())
    plain = observe(clip, watched)
    other = clip + torch.randn(clip.shape, generator=torch.Generator().manual_seed(1)).to(clip)
    cells = {count: plain[name].new_zeros(count, dtype=torch.long) for count, name in firsts.items()}
    clear = {count: plain[name].new_ones(count, dtype=torch.bool) for count, name in firsts.items()}
    for axis, many in enumerate(size):
        length = clip.shape[2 + axis]
        number = torch.arange(length, device=clip.device) * many // length  # of the cell that holds each pixel
        along = [-1 if 2 + axis == position else 1 for position in range(clip.dim())]
        for digit in range((many - 1).bit_length()):
            changes = []
            for bit in (0, 1):
                part = ((number >> digit & 1) == bit).view(along)
                seen = observe(torch.where(part, other, clip), watched)
                changes.append({count: (seen[name] - plain[name])[0].norm(dim=-1) for count, name in firsts.items()})
            for count in firsts:
                zero, one = changes[0][count], changes[1][count]
                cells[count] += ((one > zero).long() << digit) * prod(size[axis + 1 :])
                clear[count] &= torch.maximum(zero, one) > CLEARLY * torch.minimum(zero, one)
    return {count: found.where(clear[count], -1) for count, found in cells.items()}


def _grid(cells: Int[Tensor, " n"], size: tuple[int, ...], count: int) -> Grid | None:
    """Return the grid, with the order of its axes, where the patches name each cell once; None where they do not."""
    extra, axes = count - prod(size), range(len(size))
    rows = torch.arange(prod(size), device=cells.device).view(size)
    for order in permutations(axes):
        if torch.equal(cells[extra:], rows.permute(order).flatten()):
            return Grid(size, "tokens", extra, order=() if order == tuple(axes) else order)
    return None
