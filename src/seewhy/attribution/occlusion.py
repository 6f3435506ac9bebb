"""Occlusion: cover one window after the other and see how much the score falls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Generator

from seewhy.core.budget import Allowance
from seewhy.core.cost import Cost
from seewhy.core.method import Anatomy, Attribution, Source
from seewhy.core.perturbing import PerturbationMethod
from seewhy.core.probe import Probe
from seewhy.core.registry import register
from seewhy.core.values import Array, as_value
from seewhy.errors import ConfigError, MethodError
from seewhy.ops.channels import ratio
from seewhy.ops.masks import covering, per_axis, window_starts
from seewhy.ops.streams import paired

Corner = tuple[int, ...]


@register
@dataclass(frozen=True)
class Occlusion(PerturbationMethod):
    """Cover one window of the image after the other; each pixel gets the mean of what covering it costs the score.

    map_p = mean over the windows w that cover p of f(x) - f(x with the fill in w).

    Args:
        fill: what a window shows: "mean" (each image's mean colour, the grey square of the paper), "blur", "black", "noise", an image, ...
            A blur keeps the local colour and takes the details away, so it finds less in smooth places.
        budget: the most that may be spent. Windows that cover the image once are always made; the others come in random order, until
            it is spent.
        window: size in pixels, one number or one for each axis; None is a fourteenth of each side, which is 16 of 224, and, where there
            are frames or slices, an eighth of these and a seventh of each side.
        stride: from one window to the next, at most the window; None is half a window, and a whole one in clips and volumes. The last windows of each axis are moved back to
            end at the border, so each pixel is covered.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score; positive where covering lowers it. Exact for what it says.

    Raises:
        MethodError: a window is larger than the image, or the budget is too small to cover the image once.

    Limits: the box itself is seen by the network, edges and all. Two things of which one is enough both get nothing; what is larger
        than the window shows its parts only. The size of the window decides what is found.
    Source: Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, arXiv 1311.2901, section 4.2. Differs in: a map of
        differences averaged over overlapping windows, not of the score at the window's centre.
    """

    fill: str | Array = "mean"
    window: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None

    key = "occlusion"
    title = "Occlusion"
    signed = True
    source = Source(
        "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks", "1311.2901", "section 4.2"
    )
    merit = "what it says is literally true: this much score is lost when this window is covered"
    caution = "the size of the window decides what is found, and the network also sees the edges of the box"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("window", "stride"):
            object.__setattr__(self, name, value := as_value(getattr(self, name)))
            numbers = (value,) if isinstance(value, int) else value or (1,)
            if min(numbers) < 1:
                raise ConfigError(f"occlusion wants a {name} of at least 1 pixel, got {value!r}")

    def cost(self) -> Cost | None:
        """Return None: how many windows there are depends on the size of the image."""
        return None

    def cost_on(self, anatomy: Anatomy) -> Cost | None:
        """Return the image and each window; None where the budget is a time."""
        allowance = Allowance.of(self.budget)
        if allowance.seconds is not None:
            return None
        size = anatomy.input_shape[1:]
        windows = prod(len(starts) for starts in self._starts(size, self._window(size)))
        return Cost(1 + min(windows, allowance.forwards or windows))

    def attribute(self, probe: Probe) -> Attribution:
        """Return the heatmap."""
        size = tuple(probe.inputs.shape[2:])
        window = self._window(size)
        starts = self._starts(size, window)
        corners = self._corners(starts, window, probe.generator())
        score, fill = probe.score(), self.hidden(probe)
        lost = probe.inputs.new_zeros(len(score), *size)
        times = lost.new_zeros(size)
        for corner, covered in paired(corners, lambda asked: probe.windows(asked, window, fill)):
            here = tuple(slice(start, start + length) for start, length in zip(corner, window, strict=True))
            lost[(slice(None), *here)] += (score - covered).view(-1, *[1] * len(size))
            times[here] += 1
        return Attribution(ratio(lost, times))

    def _window(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Return the window along each axis; raise where it does not fit."""
        parts = (8, 7, 7) if len(size) == 3 else (14,) * len(size)
        share = tuple(max(1, round(length / part)) for length, part in zip(size, parts, strict=True))
        window = share if self.window is None else per_axis(self.window, len(size), "window")
        if any(one > length for one, length in zip(window, size, strict=True)):
            raise MethodError(
                f"a window of {_times(window)} is larger than the image of {_times(size)} pixels; choose a smaller one"
            )
        return window

    def _starts(self, size: tuple[int, ...], window: tuple[int, ...]) -> list[list[int]]:
        """Return where windows begin along each axis."""
        usual = window if len(size) == 3 else tuple(max(1, length // 2) for length in window)
        stride = usual if self.stride is None else per_axis(self.stride, len(size), "stride")
        if any(step > length for step, length in zip(stride, window, strict=True)):
            raise MethodError(
                f"a stride of {_times(stride)} leaves gaps between windows of {_times(window)}; choose at most the window"
            )
        return [window_starts(*axis) for axis in zip(size, window, stride, strict=True)]

    def _corners(self, starts: list[list[int]], window: tuple[int, ...], generator: Generator) -> Iterator[Corner]:
        """Yield the windows row by row; with a budget, first some that cover the image, then others at random until it is spent."""
        corners = list(product(*starts))
        if self.budget is None:
            return iter(corners)
        first = list(product(*map(covering, starts, window)))
        allowance = Allowance.of(self.budget)
        if allowance.forwards is not None and allowance.forwards < len(first):
            raise MethodError(
                f"{len(first)} windows of {_times(window)} are needed to cover the image once, and the budget is "
                f"{self.budget}; choose a larger window or budget"
            )
        rest = sorted(set(corners) - set(first))
        order = torch.randperm(len(rest), generator=generator).tolist()
        return self.affordable([*first, *(rest[index] for index in order)], least=len(first))


def _times(size: Sequence[int]) -> str:
    return " x ".join(map(str, size))
