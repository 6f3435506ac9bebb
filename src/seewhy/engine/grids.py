"""How the positions of a layer's output lie in the picture: channels first or last, tokens, and where there is no grid at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOST_EXTRA_TOKENS = 16
"""Class, distillation and register tokens that may stand before the patches."""

NOWHERE: frozenset[tuple[int, ...]] = frozenset()

_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.PixelShuffle,
    nn.Upsample,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
)
"""Layers whose channels are on the first axis after the batch, whatever the sizes say."""


@dataclass(frozen=True)
class Grid:
    """How the positions of an activation lie in the picture.

    Attributes:
        size: (h, w) of the grid, or more axes for clips and volumes.
        form: "channel-first" (b, c, *size), "channel-last" (b, *size, c), "tokens" (b, extra + h * w, c) or
            "flat" (b, c, extra + h * w).
        extra: tokens before the patches: class, distillation, registers.
    """

    size: tuple[int, ...]
    form: str
    extra: int = 0

    def shape_of(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape (c, *spatial) of one row on the grid, from the shape in the layer's own layout."""
        return (raw[1] if self.form in ("channel-first", "flat") else raw[-1], *self.size)

    def apply(self, activation: Tensor) -> Float[Tensor, "b c *spatial"]:
        """Return the activation as (b, c, *spatial), the extra tokens left out."""
        if self.form == "channel-first":
            return activation
        if self.form == "channel-last":
            return activation.movedim(-1, 1)
        patches = activation.transpose(1, 2) if self.form == "tokens" else activation
        patches = patches[:, :, self.extra :]
        return patches.reshape(*patches.shape[:2], *self.size)


def raw_with(raw: Tensor, grid: Grid | None, activation: Float[Tensor, "b c *spatial"]) -> Tensor:
    """Return what a layer put out, in its own layout, with the part that has a grid replaced; tokens without a place stay."""
    if grid is None or grid.form == "channel-first":
        return activation
    if grid.form == "channel-last":
        return activation.movedim(1, -1)
    patches = activation.flatten(2)
    patches = patches.transpose(1, 2) if grid.form == "tokens" else patches
    axis = 1 if grid.form == "tokens" else 2
    extra = raw.narrow(axis, 0, grid.extra)
    return torch.cat([extra.expand(len(patches), *extra.shape[1:]), patches], dim=axis)


def find_grid(
    output: Tensor,
    rows: int,
    input_size: Sequence[int],
    module: nn.Module | None = None,
    places: frozenset[tuple[int, ...]] = NOWHERE,
) -> Grid | None:
    """Find the grid of what a layer put out for so many images.

    None also for attention weights (b, heads, n, n), which are no picture of n x n places, and for a layer that puts out another
    number of rows, such as one per window of each image.
    """
    if len(output) != rows:
        return None
    if output.dim() == 4 and output.shape[2] == output.shape[3] and not isinstance(module, _FIRST):
        weights = output.detach()[:1].float()
        if bool((weights >= 0).all()) and bool(((weights.sum(dim=-1) - 1).abs() < 1e-2).all()):
            return None
    return grid_of(output.shape, input_size, module, places)


def places_in(grids: Iterable[Grid | None]) -> frozenset[tuple[int, ...]]:
    """Return the sizes that tokens of a network may have: those of its maps of channels, and their halves, quarters and so on."""
    found = set()
    for grid in grids:
        size = grid.size if grid is not None and grid.form in ("channel-first", "channel-last") else ()
        while len(size) == 2 and max(size) > 1:
            found |= {size, tuple(cells // 2 for cells in size)}
            size = tuple(-(-cells // 2) for cells in size)
    return frozenset(size for size in found if min(size) > 0 and max(size) > 1)


def grid_of(
    shape: Sequence[int],
    input_size: Sequence[int],
    module: nn.Module | None = None,
    places: frozenset[tuple[int, ...]] = NOWHERE,
) -> Grid | None:
    """Find the grid of an activation of this shape for an input of this size (h, w); None if it has none, or two are as likely.

    A grid has the input's proportions: some stride s gives (h / s, w / s), up to one cell of rounding. Of (b, c, h, w) and (b, h, w, c)
    the one that fits better is meant; (b, n, c) is a grid of tokens if n is such an h * w plus at most sixteen. Where the sizes do
    not decide, the module does: convolutions and batch norms have their channels first, layer norms and linear layers last.

    Args:
        shape: of what the layer put out.
        input_size: (h, w).
        module: the layer.
        places: sizes that a grid of tokens may have, as `places_in` finds them; any that fits the proportions if empty.
    """
    if len(shape) == len(input_size) + 2:
        return _dense(shape, input_size, module)
    if len(shape) == 3 and len(input_size) == 2:
        return _tokens(shape, input_size, module, places)
    return None


def _dense(shape: Sequence[int], input_size: Sequence[int], module: nn.Module | None) -> Grid | None:
    first, last = Grid(tuple(shape[2:]), "channel-first"), Grid(tuple(shape[1:-1]), "channel-last")
    certain = _plain_side(module)
    if certain == "first":
        fits = all(1 <= cells <= 2 * pixels for cells, pixels in zip(first.size, input_size, strict=True))
        return first if fits and max(first.size) > 1 else None
    if certain == "last":
        return last if _mismatch(last.size, input_size) is not None else None
    misses = {grid: miss for grid in (first, last) if (miss := _mismatch(grid.size, input_size)) is not None}
    if len(misses) == 2 and abs(misses[first] - misses[last]) < 1e-6:
        side = _inner_side(module, shape)
        return None if side == "mixed" else last if side == "last" else first
    return min(misses, key=lambda grid: misses[grid], default=None)


def _mismatch(size: Sequence[int], input_size: Sequence[int]) -> float | None:
    """Return by how many cells a size misses the input's proportions, at the stride that suits it best; None if that is too many.

    Only the last two axes are compared: the frames of a clip have a stride of their own. A single cell is no grid.
    """
    if max(size[-2:]) < 2 or any(not 1 <= cells <= 2 * pixels for cells, pixels in zip(size, input_size, strict=True)):
        return None
    share = sum(size[-2:]) / sum(input_size[-2:])
    miss = abs(size[-1] - input_size[-1] * share)
    return miss if miss < (1.0 if max(size[-2:]) > 2 else 0.5) else None


def _tokens(
    shape: Sequence[int], input_size: Sequence[int], module: nn.Module | None, places: frozenset[tuple[int, ...]]
) -> Grid | None:
    certain = _plain_side(module)
    sizes = [(False, size) for size in places] or _sizes(input_size)
    tokens = None if certain == "first" else _patches(shape[1], sizes, MOST_EXTRA_TOKENS)
    flat = None if certain == "last" else _patches(shape[2], sizes, MOST_EXTRA_TOKENS if certain else 0)
    if tokens is not None and flat is not None:
        side = _inner_side(module, shape)
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


def _plain_side(module: nn.Module | None) -> str | None:
    """Return where a plain layer has its channels, "first" or "last"; None for a module that does not tell by itself."""
    return "first" if isinstance(module, _FIRST) else "last" if _works_on_last(module) else None


def _works_on_last(module: nn.Module | None) -> bool:
    """Say whether a module works on the last axis, and does not turn its input first, as layer norms for images do."""
    return type(module).forward in (nn.LayerNorm.forward, nn.Linear.forward) if isinstance(module, nn.Module) else False


def _inner_side(module: nn.Module | None, shape: Sequence[int]) -> str:
    """Tell from the layers inside a module where its channels are: "first", "last", "mixed" or, without a sign, "none"."""
    signs = set() if module is None else set(_signs(module.modules(), shape))
    return "mixed" if len(signs) > 1 else signs.pop() if signs else "none"


def _signs(modules: Iterable[nn.Module], shape: Sequence[int]) -> Iterable[str]:
    for part in modules:
        if isinstance(part, (nn.LayerNorm, nn.Linear)):
            channels = part.normalized_shape[-1] if isinstance(part, nn.LayerNorm) else part.out_features
            if _works_on_last(part) and channels == shape[-1]:
                yield "last"
        elif isinstance(part, (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase)):
            channels = part.out_channels if isinstance(part, nn.modules.conv._ConvNd) else part.num_features
            if channels == shape[1]:
                yield "first"
