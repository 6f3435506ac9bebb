"""Targets of networks that find points, such as joints or landmarks: as heat maps, or as coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.target import Access, BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import find_class, name_of
from seewhy.targets.fitting import fitting, shape_words

KeypointUnit = Literal["log-probability", "confidence", "distance"]


@dataclass(frozen=True)
class Keypoint(Target):
    """Why a point was found where it was found. Its place is frozen on the unperturbed image.

    Of heat maps (b, k, h, w): the logarithm of the share that the softmax over all cells of map k gives to the cell where it was largest, or
    that cell's value itself ("confidence"). Of coordinates (b, k, 2) or (b, k, 3), the third the confidence: minus the squared distance of
    the point to its frozen place, or the confidence.

    Minus the squared distance is largest, and its gradient zero, at the frozen place itself: it is for methods that change the image.
    A method that asks for gradients must be told a direction, along which the point's coordinate is the score.

    Args:
        index: of the point, by number or name.
        unit: "log-probability", "confidence" or "distance"; None is the first for heat maps and the last for coordinates.
        direction: (dx, dy), for coordinates: the score is how far the point lies in that direction, in the network's own unit.
        by_gradient: whether the method asks for gradients; set by the session.
    """

    index: int | str
    unit: KeypointUnit | None = None
    direction: tuple[float, float] | None = None
    by_gradient: bool = False

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in get_args(KeypointUnit):
            raise TargetError(
                f"the unit of a keypoint is one of {', '.join(get_args(KeypointUnit))}, got {self.unit!r}"
            )
        if self.direction is not None and not any(self.direction):
            raise TargetError("a direction is (dx, dy), not both zero")

    def suited(self, access: Access, answer: object) -> Target:
        """Return the target knowing whether gradients are asked for."""
        return replace(self, by_gradient=access == "gradients")

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the place of the point in each image.

        Raises:
            TargetError: the answer holds no points, or none of this number; a gradient is asked for where it is zero.
        """
        output = reading.output
        heat = output.dim() == 4
        if not heat and not (output.dim() == 3 and output.shape[2] in (2, 3)):
            raise TargetError(
                f"a point is asked for, and the network's answer has shape {shape_words(output.shape)}; points are heat maps (b, k, h, w), or "
                f"coordinates (b, k, 2) or (b, k, 3); {fitting(output.shape)}"
            )
        point = find_class(self.index, output.shape[1], labels)
        name = name_of(point, labels) if labels is not None else f"keypoint {point}"
        bound = self._on_heat(output, point, name) if heat else self._on_coordinates(output, point, name)
        bound(reading)
        return bound

    def _on_heat(self, output: Float[Tensor, "b k h w"], point: int, name: str) -> BoundTarget:
        if self.unit == "distance" or self.direction is not None:
            raise TargetError(
                "distance and direction are of points given as coordinates; heat maps have 'log-probability' and 'confidence'"
            )
        cells: Int[Tensor, " b"] = output[:, point].detach().flatten(1).argmax(dim=1)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            values = seen.output[:, point].flatten(1)
            values = values if self.unit == "confidence" else values.log_softmax(dim=1)
            return values.gather(1, cells[:, None])[:, 0]

        width = output.shape[3]
        names = tuple(f"{name} at cell {int(cell) // width},{int(cell) % width}" for cell in cells)
        return BoundTarget(score, names, self.unit or "log-probability")

    def _on_coordinates(self, output: Float[Tensor, "b k n"], point: int, name: str) -> BoundTarget:
        if self.unit == "log-probability":
            raise TargetError(
                "log-probability is of heat maps; points given as coordinates have 'distance', 'confidence' and a direction"
            )
        if self.unit == "confidence":
            if output.shape[2] < 3:
                raise TargetError("the network's points are two coordinates without a confidence")
            return BoundTarget(lambda seen: seen.output[:, point, 2], (name,) * len(output), "confidence")
        if self.direction is not None:
            return self._along(output, point, name, self.direction)
        if self.by_gradient:
            raise TargetError(
                f"how near {name} stays to its place has no gradient there: it is at its largest. Give a direction, such as "
                "seewhy.targets.Keypoint(3, direction=(1, 0)) for what moves it to the right, ask for its confidence, or take a method that changes the image"
            )
        places = output[:, point, :2].detach().clone()
        return BoundTarget(
            lambda seen: -(seen.output[:, point, :2] - places).square().sum(dim=1),
            (f"{name} where it is",) * len(output),
            "squared distance",
        )

    def _along(self, output: Tensor, point: int, name: str, direction: tuple[float, float]) -> BoundTarget:
        along = torch.tensor(direction).to(output)
        along = along / along.norm()
        words = f"{name} towards {direction[0]:g},{direction[1]:g}"
        return BoundTarget(lambda seen: seen.output[:, point, :2] @ along, (words,) * len(output), "coordinate")
