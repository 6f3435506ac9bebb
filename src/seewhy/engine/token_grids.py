"""Which grid a sequence of tokens is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from torch import nn

from seewhy.engine.grid import Grid
from seewhy.engine.sides import inner_side, plain_side

MOST_EXTRA_TOKENS = 16
"""Class, distillation and register tokens that may stand before the patches."""


@dataclass(frozen=True)
class Places:
    """Where tokens of a network may lie.

    Attributes:
        sizes: grids that its maps of channels have; empty where that is not known.
        sequences: of clips, the grids of the sequences of tokens whose order was measured.
    """

    sizes: frozenset[tuple[int, ...]] = frozenset()
    sequences: tuple[Grid, ...] = ()

    @property
    def of_frame(self) -> "Places":
        """The same for one frame of a clip."""
        return Places(frozenset(size[-2:] for size in self.sizes))

    def sequence_of(self, count: int) -> Grid | None:
        """Return the grid of a sequence of so many tokens: one that was measured, or the patches of one without its other tokens."""
        for grid in self.sequences:
            if count == grid.extra + prod(grid.size):
                return grid
        return next((replace(grid, extra=0) for grid in self.sequences if count == prod(grid.size)), None)


NOWHERE = Places()
"""Nothing is known."""


def tokens_grid(
    shape: Sequence[int], input_size: Sequence[int], module: nn.Module | None, places: Places
) -> Grid | None:
    """Return the grid of a sequence of tokens (b, n, c) or (b, c, n); None where none fits."""
    certain = plain_side(module)
    sizes = [(False, size) for size in places.sizes] or _sizes(input_size)
    tokens = None if certain == "first" else _patches(shape[1], sizes, MOST_EXTRA_TOKENS)
    flat = None if certain == "last" else _patches(shape[2], sizes, MOST_EXTRA_TOKENS if certain else 0)
    if tokens is not None and flat is not None:
        side = inner_side(module, shape)
        if side not in ("first", "last") and tokens[0] != flat[0]:
            side = "first" if tokens[0] else "last"
        tokens, flat = (tokens if side == "last" else None), (flat if side == "first" else None)
    if tokens is not None:
        return Grid(tokens[2], "tokens", tokens[1])
    return None if flat is None else Grid(flat[2], "flat", flat[1])


def _sizes(input_size: Sequence[int]) -> list[tuple[bool, tuple[int, ...]]]:
    """Return every grid of the input's proportions, and whether its patches leave a rest of the input."""
    height, width = input_size
    found = []
    for stride in range(1, max(height, width)):
        rest = height % stride > 0 or width % stride > 0
        found += [(rest, (height // stride, width // stride)), (rest, (-(-height // stride), -(-width // stride)))]
    return [(rest, size) for rest, size in found if max(size) > 1 and min(size) > 0]


def _patches(
    count: int, sizes: Iterable[tuple[bool, tuple[int, ...]]], most_extra: int
) -> tuple[bool, int, tuple[int, ...]] | None:
    """Return whether there is a rest, the number of extra tokens, and the grid (h, w) of so many tokens; None where none fits.

    A patch size that divides the input goes before one that does not; then the fewer extra tokens, the better. Where it does not
    divide the input, the extra tokens are at most a quarter of the patches: almost any number would fit otherwise.
    """
    fitting = []
    for rest, size in sizes:
        patches = size[0] * size[1]
        extra = count - patches
        if 0 <= extra <= most_extra and not (rest and 4 * extra > patches):
            fitting.append((rest, extra, size))
    return min(fitting, default=None)
