"""Patches: the part of a map that a change has reached, a row for each of several changes, over a taped map."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seewhy.core.rules import Operation

Pair = tuple[int, int]


@dataclass(frozen=True)
class Rectangles:
    """Rectangles of one size, one for each row.

    Attributes:
        top, left: first cell of each; it may lie outside of the map.
        size: height and width.
    """

    top: tuple[int, ...]
    left: tuple[int, ...]
    size: Pair

    @property
    def area(self) -> int:
        """How many cells each has."""
        return self.size[0] * self.size[1]

    def moved(self, down: int, right: int) -> "Rectangles":
        """Return the same rectangles at other places."""
        return replace(self, top=tuple(top + down for top in self.top), left=tuple(left + right for left in self.left))

    def cut_from(self, maps: Float[Tensor, "..."], axes: Pair) -> Float[Tensor, "n ..."]:
        """Return each rectangle of one map (1, ...), or of as many maps as there are rectangles; all lie inside."""
        (vertical, horizontal), (height, width) = axes, self.size
        rows = [maps] * len(self.top) if len(maps) == 1 else maps.split(1)
        return torch.cat(
            [
                row.narrow(vertical, top, height).narrow(horizontal, left, width)
                for row, top, left in zip(rows, self.top, self.left, strict=True)
            ]
        )


def around(rectangles: Sequence[Rectangles], bounds: Pair) -> Rectangles:
    """Return the smallest rectangles of one size that hold, row by row, all of those given and lie in a map of this size."""
    first = rectangles[0]
    if all(other == first for other in rectangles[1:]):
        return first
    top, height = _hull([(one.top, one.size[0]) for one in rectangles], bounds[0])
    left, width = _hull([(one.left, one.size[1]) for one in rectangles], bounds[1])
    return Rectangles(top, left, (height, width))


def _hull(spans: Sequence[tuple[tuple[int, ...], int]], bound: int) -> tuple[tuple[int, ...], int]:
    lows = [min(starts) for starts in zip(*(starts for starts, _ in spans), strict=True)]
    ends = [[start + length for start in starts] for starts, length in spans]
    length = max(max(end) - low for low, end in zip(lows, zip(*ends, strict=True), strict=True))
    return tuple(min(low, bound - length) for low in lows), length


@dataclass(frozen=True, eq=False)
class Patch:
    """What is known of a changed map: it is the taped one but for a rectangle in each row.

    Attributes:
        base: the taped map (1, ...); without numbers, on "meta", where nobody reads it.
        axes: where height and width are.
        at: the rectangles, which lie in the map.
        crop: what stands there (n, ..., h, w, ...).
    """

    base: Tensor
    axes: Pair
    at: Rectangles
    crop: Tensor

    @property
    def bounds(self) -> Pair:
        """Height and width of the map."""
        return self.base.shape[self.axes[0]], self.base.shape[self.axes[1]]

    def read(self, at: Rectangles, bordered: Tensor | None = None, border: Pair = (0, 0)) -> Float[Tensor, "n ..."]:
        """Return other rectangles of the changed map.

        Args:
            at: where, in the map, or in the map with its border.
            bordered: the taped map with a border around it.
            border: how wide it is at the top and on the left.
        """
        if bordered is None and at == self.at:
            return self.crop
        out = at.cut_from(self.base if bordered is None else bordered, self.axes)
        shifted = self.at.moved(*border)
        self._paste(
            out,
            [mine - other for mine, other in zip(shifted.top, at.top, strict=True)],
            [mine - other for mine, other in zip(shifted.left, at.left, strict=True)],
        )
        return out

    def whole(self) -> Float[Tensor, "n ..."]:
        """Return the changed map of each row."""
        out = torch.cat([self.base] * len(self.crop))
        self._paste(out, self.at.top, self.at.left)
        return out

    def _paste(self, out: Tensor, top: Sequence[int], left: Sequence[int]) -> None:
        """Write the crops into `out` at these places, cut off at its edges; in one go where all places agree."""
        places = defaultdict(list)
        for row, place in enumerate(zip(top, left, strict=True)):
            places[place].append(row)
        for place, rows in places.items():
            if len(places) == 1:
                self._paste_at(out, self.crop, place)
                return
            for row in rows:
                self._paste_at(out[row : row + 1], self.crop[row : row + 1], place)

    def _paste_at(self, out: Tensor, crop: Tensor, place: Pair) -> None:
        for axis, start, length in zip(self.axes, place, self.at.size, strict=True):
            low, high = max(start, 0), min(start + length, out.shape[axis])
            if high <= low:
                return
            out, crop = out.narrow(axis, low, high - low), crop.narrow(axis, low - start, high - low)
        out.copy_(crop)


@dataclass(frozen=True, eq=False)
class Sliding:
    """A convolution or a pool on (b, c, h, w): each output cell sees a rectangle of the input.

    Attributes:
        kernel, stride, padding, dilation: per axis; padding is that at the top and on the left.
        border: what lies outside of the map.
        run: the operation without any padding.
    """

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    border: float
    run: Callable[[Tensor], Tensor]

    @property
    def spread(self) -> Pair:
        """From the first to the last cell that an output cell sees."""
        (up, across), (down, right) = self.kernel, self.dilation
        return (up - 1) * down + 1, (across - 1) * right + 1

    @property
    def cellwise(self) -> bool:
        """Each output cell sees the one cell at its own place."""
        return self.kernel == self.stride == (1, 1) and self.padding == (0, 0)

    def reached(self, at: Rectangles, bounds: Pair) -> Rectangles:
        """Return the output cells that see a rectangle, moved into the map where rows near its border need fewer.

        Input cells [a, a + m) are seen from ceil((a + p - spread + 1) / s) to floor((a + m - 1 + p) / s).
        """
        top, height = self._reached(0, at.top, at.size[0], bounds[0])
        left, width = self._reached(1, at.left, at.size[1], bounds[1])
        return Rectangles(top, left, (height, width))

    def _reached(self, axis: int, starts: tuple[int, ...], length: int, bound: int) -> tuple[tuple[int, ...], int]:
        stride, padding, before = self.stride[axis], self.padding[axis], self.spread[axis] - 1
        first = [max(0, -((before - padding - start) // stride)) for start in starts]
        last = [min(bound - 1, (start + length - 1 + padding) // stride) for start in starts]
        count = max(1, *(end - begin + 1 for begin, end in zip(first, last, strict=True)))
        return tuple(min(begin, bound - count) for begin in first), count

    def seen(self, at: Rectangles) -> Rectangles:
        """Return the input cells that output cells see, counted from the border's first cell."""
        (down, right), (height, width) = self.stride, at.size
        return Rectangles(
            tuple(top * down for top in at.top),
            tuple(left * right for left in at.left),
            ((height - 1) * down + self.spread[0], (width - 1) * right + self.spread[1]),
        )

    def bordered(self, base: Tensor, bounds: Pair) -> Tensor:
        """Return a map with its border, wide enough on the far side for the last of `bounds` output cells."""
        edges: list[int] = []
        for axis in (1, 0):
            needed = (bounds[axis] - 1) * self.stride[axis] + self.spread[axis]
            padding = self.padding[axis]
            edges += [padding, max(padding, needed - base.shape[2 + axis] - padding)]
        return F.pad(base, edges, value=self.border) if any(edges) else base


def sliding(operation: Operation) -> Sliding | None:
    """Return how an operation slides over its input; None where it does not, or in a way that is not followed."""
    make = _SLIDING.get(operation.function.__name__)
    return make(operation) if make else None


def _convolution(operation: Operation) -> Sliding:
    given = operation.argument
    weight, bias, groups = given(1, "weight"), given(2, "bias"), given(6, "groups", 1)
    stride, dilation, padding = pair(given(3, "stride", 1)), pair(given(5, "dilation", 1)), given(4, "padding", 0)
    kernel = pair(tuple(weight.shape[2:]))
    if padding == "same":  # an odd cell more lies on the far side
        padding = tuple(step * (length - 1) // 2 for step, length in zip(dilation, kernel, strict=True))
    elif padding == "valid":
        padding = 0

    def run(x: Tensor) -> Tensor:
        return torch.conv2d(x, weight, bias, stride, 0, dilation, groups)

    return Sliding(kernel, stride, pair(padding), dilation, 0.0, run)


def _max_pool(operation: Operation) -> Sliding | None:
    given = operation.argument
    if given(6, "return_indices", default=False):
        return None
    kernel, dilation = pair(given(1, "kernel_size")), pair(given(4, "dilation", 1))
    stride = pair(given(2, "stride") or kernel)

    def run(x: Tensor) -> Tensor:
        return F.max_pool2d(x, kernel, stride, 0, dilation)

    return Sliding(kernel, stride, pair(given(3, "padding", 0)), dilation, float("-inf"), run)


def _average_pool(operation: Operation) -> Sliding | None:
    given = operation.argument
    kernel, padding = pair(given(1, "kernel_size")), pair(given(3, "padding", 0))
    stride, divisor = pair(given(2, "stride") or kernel), given(6, "divisor_override")
    counts_border = given(5, "count_include_pad", default=True) or padding == (0, 0)
    if given(4, "ceil_mode", default=False) or not counts_border:  # a cell at the border divides by fewer
        return None

    def run(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel, stride, divisor_override=divisor)

    return Sliding(kernel, stride, padding, (1, 1), 0.0, run)


_SLIDING: dict[str, Callable[[Operation], Sliding | None]] = {
    "conv2d": _convolution,
    "max_pool2d": _max_pool,
    "avg_pool2d": _average_pool,
}


def pair(value: Any) -> Pair:
    """Return a number for each of two axes, from one or two."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return int(numbers[0]), int(numbers[-1])
