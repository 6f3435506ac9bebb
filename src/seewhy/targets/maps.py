"""Targets of networks that put out a map of numbers, such as depth or flow: its mean over a region."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.placing import Placed, Rectangle, placed_masks, placed_rectangles
from seewhy.core.sample import Sample
from seewhy.core.target import BoundTarget, Probability, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.masks import class_maps


@dataclass(frozen=True, eq=False)
class MapMean(Target):
    """Mean of a map of numbers over a region: why this is so near, or moves so fast. Fits answers (b, h, w) and (b, k, h, w).

    Args:
        region: a rectangle (x, y, width, height) in pixels of the source picture, or a mask of its size (a list: one for each image);
            the whole map if None. Cells that it covers in part count in part.
        channel: which map, where the answer has several: 0 and 1 are the horizontal and vertical part of a flow; None only for one map.
        sign: 1 for what drives the mean up, -1 for what drives it down.
        reference: is subtracted from the mean before the sign is put to it: a mean depth from which the score is to count.
        unit: of the map's numbers, for people: "m".
        name: what the map shows, for people.
        place: the region on the input; set by the session.
    """

    region: Any = None
    channel: int | None = None
    sign: int = 1
    reference: float = 0.0
    unit: str = "output"
    name: str = "map"
    place: Placed | None = None

    def __post_init__(self) -> None:
        if self.sign not in (1, -1):
            raise TargetError(f"sign is 1 (what drives the map up) or -1 (down), got {self.sign}")
        rectangle = _rectangle(self.region)
        if rectangle is not None and min(rectangle[2:]) <= 0:
            raise TargetError(
                f"a rectangle is x, y, width and height, with a width and height above 0; got {rectangle}"
            )

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the target with its region on the input."""
        axes, rectangle = samples[0].inputs.dim() - 1, _rectangle(self.region)
        if self.region is None:
            return replace(self, place=Placed(axes))
        areas = placed_masks(self.region, samples) if rectangle is None else placed_rectangles(rectangle, samples)
        return replace(self, place=Placed(axes, areas))

    def part(self, rows: slice, images: int) -> Target:
        """Return the target of some of the images."""
        return self if self.place is None else replace(self, place=self.place.part(rows))

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the region on the map's own grid.

        Raises:
            TargetError: the answer is no map, or has no such channel.
        """
        if self.place is None and self.region is not None:
            raise TargetError(
                "a region is in pixels of the source picture, and here the picture is not known; ask with seewhy.explain"
            )
        place = self.place or Placed(2)
        maps = class_maps(reading, place.axes)
        channel = self._channel(maps.shape[1])
        weights = place.on(maps.shape[2:], maps.detach())
        weights = torch.ones_like(maps[:, 0]).detach() if weights is None else weights
        weights = weights / weights.flatten(1).sum(dim=1).view(-1, *[1] * place.axes)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            mean = (class_maps(seen, place.axes)[:, channel] * weights).flatten(1).sum(dim=1)
            return self.sign * (mean - self.reference)

        over = "" if self.region is None else " over the region"
        name = f"{'' if self.sign > 0 else 'less of '}{self.name}{f' {channel}' if maps.shape[1] > 1 else ''}{over}"
        region = None if self.region is None else weights
        return BoundTarget(score, (name,) * len(maps), self.unit, region=region)

    def _channel(self, count: int) -> int:
        if self.channel is None and count > 1:
            raise TargetError(f"the answer has {count} maps; say which: channel=0 to {count - 1}")
        channel = self.channel or 0
        if not 0 <= channel < count:
            raise TargetError(f"there is no map {channel}; the answer has {count}, from 0 to {count - 1}")
        return channel


def _rectangle(region: Any) -> Rectangle | None:
    """Return a region as a rectangle, if it is four numbers."""
    if isinstance(region, (tuple, list)) and len(region) == 4 and all(isinstance(n, (int, float)) for n in region):
        return (float(region[0]), float(region[1]), float(region[2]), float(region[3]))
    return None
