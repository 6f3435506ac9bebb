"""Where the tokens of an attention lie in the picture; for windows, found out by their gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.engine.attention.factorized import factorized_layout
from seewhy.engine.attention.layout import Layout
from seewhy.engine.attention.numbering import OTHERS, row_by_row, token_slots
from seewhy.engine.attention.record import Finished, Record, Seen
from seewhy.engine.grid import Grid
from seewhy.engine.grids import grid_of, places_in
from seewhy.engine.token_grids import NOWHERE, Places
from seewhy.errors import MethodError


@dataclass(frozen=True, eq=False)
class _Source:
    """What a module put out just before an attention, and how it lies in the picture."""

    finished: Finished
    grid: Grid

    @property
    def tokens(self) -> int:
        axes = self.finished.shape[1:-1]
        return int(torch.Size(axes).numel())


def frame_layouts(record: Record, images: int, grid_of_layer: Callable[[str], Grid | None]) -> list[Layout] | None:
    """Return the layouts of a transformer that sees each frame of a clip as a row of its own; None where a layer looks at something else.

    The class tokens of all frames come first, then the patches, frame by frame.

    Args:
        record: of the pass.
        images: clips in the pass.
        grid_of_layer: the grid of what a layer puts out, by its name.
    """
    found = [_frame_layout(seen, images, grid_of_layer) for seen in record.seen]
    known = [layout for layout in found if layout is not None]
    return known if len(known) == len(found) else None


def _frame_layout(seen: Seen, images: int, grid_of_layer: Callable[[str], Grid | None]) -> Layout | None:
    count = seen.weights.shape[-1]
    for name in reversed(seen.within):
        grid = grid_of_layer(name)
        if grid is None or not grid.frames or grid.form != "tokens" or count != grid.extra + prod(grid.size[1:]):
            continue
        if seen.weights.dim() != 4 or len(seen.weights) != images * grid.frames:
            return None
        tokens = torch.arange(len(seen.weights) * count, device=seen.weights.device).view(images, grid.frames, count)
        slots = torch.cat([tokens[..., : grid.extra].flatten(1), tokens[..., grid.extra :].flatten(1)], dim=1)
        return Layout(grid.frames * grid.extra, grid.size, slots, by_frame=True)
    return None


def plain_layouts(record: Record, inputs: Float[Tensor, "b c *spatial"], places: Places) -> list[Layout] | None:
    """Return the layouts of a transformer whose layers all look at whole pictures, or clips; None where one looks within windows.

    Args:
        record: of the pass.
        inputs: the images.
        places: where tokens of clips lie, as it was measured; those of pictures follow from the maps of the pass.
    """
    found = []
    for seen in record.seen:
        source = _source(record, seen, inputs, places)
        count = seen.weights.shape[-1]
        if _rows_per_image(seen, len(inputs), whole=True) is None:
            return None
        if source is not None and source.tokens != count:
            return None
        grid = source.grid if source is not None else _grid_of_tokens(record, count, inputs, places)
        if grid is None:
            return None
        slots = row_by_row(torch.arange(count * len(inputs), device=inputs.device).view(-1, count), grid)
        found.append(Layout(grid.extra, grid.size, slots if grid.order else None, whole=True))
    return found


def placed_layouts(record: Record, inputs: Float[Tensor, "b c *spatial"], places: Places) -> list[Layout]:
    """Find where the tokens of windows lie, from a pass that kept its graph.

    A module's output with a grid, such as the norm before an attention, feeds the values token by token: shifted, padded and cut into
    windows. So the gradient of a sum of values, each token times a number of its own, is at each place a multiple of that of the plain sum, and
    the multiple names the token. The windows of a factorized transformer for clips are places, each with its frames, or frames.

    Raises:
        MethodError: there is no such output, or a place feeds several tokens, or none.
    """
    return [_placed(record, seen, inputs, places) for seen in record.seen]


def shaped(weights: Tensor, images: int, layout: Layout) -> Float[Tensor, "rows heads m m"]:
    """Return weights, or a gradient at them, with an axis for the heads."""
    if weights.dim() == 4:
        return weights
    rows = images if layout.slots is None or layout.whole else len(weights)
    return weights.reshape(rows, -1, *weights.shape[1:])


def _rows_per_image(seen: Seen, images: int, *, whole: bool) -> int | None:
    """Return how many rows of weights there are for each image; None where the images do not divide them, or `whole` and not one."""
    rows, rest = divmod(len(seen.weights), images)
    if rest or (whole and rows != 1 and seen.weights.dim() == 4):
        return None
    return rows


def _source(record: Record, seen: Seen, inputs: Tensor, measured: Places) -> _Source | None:
    """Return the last output before an attention began that has its channels last and a grid."""
    places = measured if inputs.dim() > 4 else _places(record, inputs)
    for finished in reversed(record.finished[: seen.before]):
        near = places if len(finished.shape) == 3 else NOWHERE
        grid = grid_of(finished.shape, inputs.shape[2:], finished.module, near)
        if grid is not None and grid.form in ("tokens", "channel-last"):
            return _Source(finished, grid)
    return None


def _places(record: Record, inputs: Tensor) -> Places:
    return places_in(
        grid_of(finished.shape, inputs.shape[2:], finished.module)
        for finished in record.finished
        if len(finished.shape) == 4
    )


def _grid_of_tokens(record: Record, count: int, inputs: Tensor, places: Places) -> Grid | None:
    """Return the grid of so many tokens, where no module put them out with the images first."""
    if inputs.dim() > 4:
        return places.sequence_of(count)
    found = grid_of((1, count, 1), inputs.shape[2:], None, _places(record, inputs))
    return found if found is not None and found.form == "tokens" else None


def _placed(record: Record, seen: Seen, inputs: Tensor, places: Places) -> Layout:
    source, name = _source(record, seen, inputs, places), seen.name
    if source is None or source.finished.tensor is None or seen.value is None or seen.value.dim() != seen.weights.dim():
        raise MethodError(
            f"{name} looks at {seen.weights.shape[-1]} tokens, and no layer before it tells where they lie in the picture or clip; {OTHERS}"
        )
    extra = max((grid.extra for grid in places.sequences), default=0) if inputs.dim() > 4 else 0
    if extra:
        return factorized_layout(record, seen, source.finished.tensor, source.grid, extra)
    slots = token_slots(source.finished.tensor, seen.value, name)
    if source.grid.extra and len(seen.weights) != len(inputs):
        raise MethodError(f"{name} has windows and tokens without a place; {OTHERS}")
    return Layout(source.grid.extra, source.grid.size, row_by_row(slots, source.grid))
