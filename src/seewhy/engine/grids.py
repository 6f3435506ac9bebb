"""Find how the positions of a layer's output lie in the picture or clip: channels first or last, tokens, and where there is no grid at all."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from torch import Tensor, nn

from seewhy.engine.grid import Grid
from seewhy.engine.sides import FIRST, inner_side, plain_side
from seewhy.engine.token_grids import NOWHERE, Places, tokens_grid


def find_grid(
    output: Tensor,
    rows: int,
    input_size: Sequence[int],
    module: nn.Module | None = None,
    places: Places = NOWHERE,
) -> Grid | None:
    """Find the grid of what a layer put out for so many images.

    None also for attention weights (b, heads, n, n), which are no picture of n x n places, and for a layer that puts out another
    number of rows, such as one per window of each image. Of clips, a row may also be one frame, or stand for several; but not where it
    may as well be one place, whose tokens are the frames: a table of t x t tokens does not say which. Whether rows are frames, and
    in which order, the shape does not say: see `seewhy.engine.frame_rows`.
    """
    if isinstance(module, nn.RNNBase):
        return None
    lone = len(input_size) == 3 and input_size[0] == 1 and output.dim() == 4
    if len(output) != rows or lone:
        frames = len(output) // rows
        if len(input_size) != 3 or len(output) % rows or not 1 <= frames <= input_size[0]:
            return None
        return _of_frames(find_grid(output, len(output), input_size[1:], module, places.of_frame), frames)
    if output.dim() == 4 and output.shape[2] == output.shape[3] and not isinstance(module, FIRST):
        weights = output.detach()[:1].float()
        if bool((weights >= 0).all()) and bool(((weights.sum(dim=-1) - 1).abs() < 1e-2).all()):
            return None
    return grid_of(output.shape, input_size, module, places)


def _of_frames(each: Grid | None, frames: int) -> Grid | None:
    """Return the grid of so many frames that are rows, from that of one frame."""
    if each is None or _either_way(each, frames):
        return None
    return replace(each, size=(frames, *each.size), frames=frames)


def find_stepped_grid(
    outputs: Sequence[Tensor], input_size: Sequence[int], module: nn.Module, places: Places = NOWHERE
) -> Grid | None:
    """Find the grid of all calls of a layer that runs once for each frame of one clip, or for as many frames each time; None where it does not.

    Their outputs are taken for rows, frame by frame, as a layer has them that sees the frames of a clip as rows.
    """
    calls = len(outputs)
    if (
        len(input_size) != 3
        or not 2 <= calls <= input_size[0]
        or input_size[0] % calls
        or isinstance(module, nn.RNNBase)
    ):
        return None
    if len({output.shape for output in outputs}) > 1 or len(outputs[0]) != 1:
        return None
    return _of_frames(find_grid(outputs[-1], 1, input_size[1:], module, places.of_frame), calls)


def _either_way(each: Grid, frames: int) -> bool:
    """Say whether rows of tokens may be frames as well as places, each with all its frames."""
    return each.form in ("tokens", "flat") and not each.extra and prod(each.size) == frames


def places_in(grids: Iterable[Grid | None]) -> Places:
    """Return the sizes that tokens of a network may have: those of its maps of channels, and their halves, quarters and so on.

    Of clips, only the height and the width are halved.
    """
    found = set()
    for grid in grids:
        size = grid.size if grid is not None and grid.form in ("channel-first", "channel-last") else ()
        times, size = size[:-2], size[-2:]
        while size and max(size) > 1:
            found |= {(*times, *size), (*times, *(cells // 2 for cells in size))}
            size = tuple(-(-cells // 2) for cells in size)
    return Places(frozenset(size for size in found if min(size) > 0 and max(size[-2:]) > 1))


def grid_of(
    shape: Sequence[int],
    input_size: Sequence[int],
    module: nn.Module | None = None,
    places: Places = NOWHERE,
) -> Grid | None:
    """Find the grid of an activation of this shape for an input of this size (h, w); None if it has none, or two are as likely.

    A grid has the input's proportions: some stride s gives (h / s, w / s), up to one cell of rounding. Of (b, c, h, w) and (b, h, w, c)
    the one that fits better is meant; (b, n, c) is a grid of tokens if n is such an h * w plus at most sixteen. Where the sizes do
    not decide, the module does: convolutions and batch norms have their channels first, layer norms and linear layers last.

    Args:
        shape: of what the layer put out.
        input_size: (h, w), or (t, h, w).
        module: the layer.
        places: sizes that a grid of tokens may have, as `places_in` finds them; any that fits the proportions if empty. Of clips,
            the sequences of tokens whose order has been measured; others have no grid.
    """
    if len(shape) == len(input_size) + 2:
        return _dense(shape, input_size, module)
    if len(shape) != 3:
        return None
    if len(input_size) == 2:
        return tokens_grid(shape, input_size, module, places)
    return places.sequence_of(shape[1]) if plain_side(module) != "first" else None


def _dense(shape: Sequence[int], input_size: Sequence[int], module: nn.Module | None) -> Grid | None:
    first, last = Grid(tuple(shape[2:]), "channel-first"), Grid(tuple(shape[1:-1]), "channel-last")
    certain = plain_side(module)
    if certain == "first":
        fits = all(1 <= cells <= 2 * pixels for cells, pixels in zip(first.size, input_size, strict=True))
        return first if fits and max(first.size) > 1 else None
    if certain == "last":
        return last if _mismatch(last.size, input_size) is not None else None
    misses = {grid: miss for grid in (first, last) if (miss := _mismatch(grid.size, input_size)) is not None}
    if len(misses) == 2 and abs(misses[first] - misses[last]) < 1e-6:
        side = inner_side(module, shape)
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
