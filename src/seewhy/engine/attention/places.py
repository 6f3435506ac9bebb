"""Where the tokens of an attention lie in the picture; for windows, found out by their gradients."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.engine.attention.record import Finished, Record, Seen
from seewhy.engine.grid import Grid
from seewhy.engine.grids import NOWHERE, grid_of, places_in
from seewhy.errors import MethodError

_BASE = {torch.float64: 64, torch.float32: 64}
"""Numbers of tokens are read digit by digit from quotients of gradients; half precision tells fewer digits apart."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How the tokens of one attention lie in the picture.

    Attributes:
        extra: tokens without a place that come first.
        grid: (h, w) of the others.
        slots: (b, n) positions among all tokens of all windows; None where one row of weights is one image.
    """

    extra: int
    grid: tuple[int, ...]
    slots: Int[Tensor, "b n"] | None = None


@dataclass(frozen=True, eq=False)
class _Source:
    """What a module put out just before an attention, and how it lies in the picture."""

    finished: Finished
    grid: Grid

    @property
    def tokens(self) -> int:
        axes = self.finished.shape[1:-1]
        return int(torch.Size(axes).numel())


def plain_layouts(record: Record, inputs: Float[Tensor, "b c h w"]) -> list[Layout] | None:
    """Return the layouts of a transformer whose layers all look at whole pictures; None where one looks within windows."""
    found = []
    for seen in record.seen:
        source = _source(record, seen, inputs)
        count = seen.weights.shape[-1]
        if _rows_per_image(seen, len(inputs), whole=True) is None:
            return None
        if source is not None and source.tokens != count:
            return None
        grid = source.grid if source is not None else _grid_of_tokens(record, count, inputs)
        if grid is None:
            return None
        found.append(Layout(grid.extra, grid.size))
    return found


def placed_layouts(record: Record, inputs: Float[Tensor, "b c h w"]) -> list[Layout]:
    """Find where the tokens of windows lie, from a pass that kept its graph.

    A module's output with a grid, such as the norm before an attention, feeds the values token by token: shifted, padded and cut into
    windows. So the gradient of a sum of values, each token times a number of its own, is at each place a multiple of that of the plain sum, and
    the multiple names the token.

    Raises:
        MethodError: there is no such output, or a place feeds several tokens, or none.
    """
    return [_placed(record, seen, inputs) for seen in record.seen]


def shaped(weights: Tensor, images: int, layout: Layout) -> Float[Tensor, "rows heads m m"]:
    """Return weights, or a gradient at them, with an axis for the heads."""
    if weights.dim() == 4:
        return weights
    rows = images if layout.slots is None else len(weights)
    return weights.reshape(rows, -1, *weights.shape[1:])


def _rows_per_image(seen: Seen, images: int, *, whole: bool) -> int | None:
    """Return how many rows of weights there are for each image; None where the images do not divide them, or `whole` and not one."""
    rows, rest = divmod(len(seen.weights), images)
    if rest or (whole and rows != 1 and seen.weights.dim() == 4):
        return None
    return rows


def _source(record: Record, seen: Seen, inputs: Tensor) -> _Source | None:
    """Return the last output before an attention began that has its channels last and a grid."""
    places = _places(record, inputs)
    for finished in reversed(record.finished[: seen.before]):
        near = places if len(finished.shape) == 3 else NOWHERE
        grid = grid_of(finished.shape, inputs.shape[2:], finished.module, near)
        if grid is not None and grid.form in ("tokens", "channel-last"):
            return _Source(finished, grid)
    return None


def _places(record: Record, inputs: Tensor) -> frozenset[tuple[int, ...]]:
    return places_in(
        grid_of(finished.shape, inputs.shape[2:], finished.module)
        for finished in record.finished
        if len(finished.shape) == 4
    )


def _grid_of_tokens(record: Record, count: int, inputs: Tensor) -> Grid | None:
    """Return the grid of so many tokens, where no module put them out with the images first."""
    found = grid_of((1, count, 1), inputs.shape[2:], None, _places(record, inputs))
    return found if found is not None and found.form == "tokens" else None


def _placed(record: Record, seen: Seen, inputs: Tensor) -> Layout:
    source, name = _source(record, seen, inputs), seen.name
    if source is None or source.finished.tensor is None or seen.value is None or seen.value.dim() != seen.weights.dim():
        raise MethodError(
            f"{name} looks at {seen.weights.shape[-1]} tokens, and no layer before it tells where they lie in the picture; "
            "use a method that needs no attention, such as 'grad-cam' or 'rise'"
        )
    slots = _slots(source.finished.tensor, seen.value, name)
    if source.grid.extra and len(seen.weights) != len(inputs):
        raise MethodError(f"{name} has windows and tokens without a place; use 'grad-cam' or 'rise'")
    return Layout(source.grid.extra, source.grid.size, slots)


def _slots(source: Tensor, value: Tensor, name: str) -> Int[Tensor, "b n"]:
    """Return, for each token of a layer's output, which token of the values it feeds."""
    rows, size = len(value), value.shape[-2]
    base, count = _BASE.get(value.dtype, 12), len(value) * value.shape[-2]
    numbers = torch.arange(count, device=value.device).view(rows, *[1] * (value.dim() - 3), size, 1)
    mixture = torch.randn(value.shape[-1], generator=torch.Generator().manual_seed(0)).to(value)
    plain = _gradient(source, value, mixture.expand(value.shape), name)
    slots = torch.zeros(plain.shape[:2], dtype=torch.long, device=value.device)
    power = 1
    while power < count:
        digit = numbers // power % base
        coded = _gradient(source, value, (mixture * (digit + 1)).expand(value.shape), name)
        slots += power * (_quotient(coded, plain, name) - 1)
        power *= base
    if int(slots.flatten().bincount().max()) > 1:
        raise MethodError(f"several places of the picture seem to be one token of {name}; use 'grad-cam' or 'rise'")
    return slots


def _gradient(source: Tensor, value: Tensor, mixture: Tensor, name: str) -> Float[Tensor, "b n c"]:
    (found,) = torch.autograd.grad(value, [source], mixture, retain_graph=True, allow_unused=True)
    if found is None:
        raise MethodError(f"{name} does not take its values from the layer before it; use 'grad-cam' or 'rise'")
    return found.flatten(1, -2)


def _quotient(coded: Float[Tensor, "b n c"], plain: Float[Tensor, "b n c"], name: str) -> Int[Tensor, "b n"]:
    """Return the whole number by which one gradient is a multiple of another, at each place; raise `MethodError` where it is none."""
    squares = (plain * plain).sum(dim=-1)
    times = (coded * plain).sum(dim=-1) / squares
    whole = times.round()
    apart = (coded - whole[..., None] * plain).norm(dim=-1) / coded.norm(dim=-1)
    limit = 1e-2 if plain.dtype in _BASE else 0.1
    if not bool(squares.min() > 0) or not bool(apart.max() < limit):
        raise MethodError(
            f"the tokens within the windows of {name} do not each come from one place of the picture; use 'grad-cam' or 'rise'"
        )
    return whole.long()
