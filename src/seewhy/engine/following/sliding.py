"""Convolutions and pools as what they have in common: each output cell sees a rectangle of the input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seewhy.core.rules import Operation
from seewhy.engine.following.patches import Pair, Rectangles


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
    make = _SLIDING.get(getattr(operation.function, "__name__", ""))
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
