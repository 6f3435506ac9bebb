"""Patches: the part of a map that a change has reached, a row for each of several changes, over a taped map."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

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

    def cut_from(self, base: Float[Tensor, "1 ..."], axes: Pair) -> Float[Tensor, "n ..."]:
        """Return what stands in each rectangle of one map; all lie inside."""
        (vertical, horizontal), (height, width) = axes, self.size
        places = zip(self.top, self.left, strict=True)
        return torch.cat([base.narrow(vertical, top, height).narrow(horizontal, left, width) for top, left in places])


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
