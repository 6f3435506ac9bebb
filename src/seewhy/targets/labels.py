"""All labels that a multi-label network found: those whose probability reaches their operating point."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.sample import Sample
from seewhy.core.target import BoundTarget, Probability, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import bound_class, name_of, probabilities
from seewhy.targets.fitting import fitting, shape_words

POINT = 0.5
"""Operating point where none is stated."""


@dataclass(frozen=True)
class FoundLabels(Target):
    """The likeliest of the labels that a network found; a page about it shows the map of every one that it found, on one scale.

    Args:
        points: the probability from which a label counts as found: one for all, or one for each label; NaN for a label that the network has
            never learned, which is left out.
        link: what makes probabilities of the answer; set by the session, from the model.
    """

    points: float | tuple[float, ...] = POINT
    link: Probability = "sigmoid"

    def __post_init__(self) -> None:
        points = self.points if isinstance(self.points, (int, float)) else tuple(float(point) for point in self.points)
        object.__setattr__(self, "points", points)
        each = (points,) if isinstance(points, (int, float)) else points
        if any(not 0 <= point <= 1 for point in each if not isnan(point)):
            raise TargetError(f"operating points are probabilities from 0 to 1, or NaN; got {points}")

    def placed(self, samples: Sequence[Sample], probability: Probability) -> Target:
        """Return the target knowing what makes probabilities of the answer; raise `TargetError` where labels do not stand each for itself."""
        if probability not in ("sigmoid", "given"):
            raise TargetError(
                "found labels are asked of a network whose labels stand each for itself, and this model does not say so; "
                "if it is one, state seewhy.Model(..., probability='sigmoid')"
            )
        return replace(self, link=probability)

    def found(self, answer: Float[Tensor, "1 ..."], labels: Sequence[str] | None) -> tuple[list[int], list[int]]:
        """Return the labels that reach their operating point, the most probable first, and those that the network has never learned.

        Raises:
            TargetError: the answer is none of labels, or there are not as many points as labels.
        """
        if answer.dim() != 2:
            raise TargetError(
                f"labels are asked for, and the network's answer has shape {shape_words(answer.shape)}; {fitting(answer.shape)}"
            )
        chances = probabilities(answer[0].float()[None], self.link)[0].cpu()
        points = (
            torch.tensor(self.points)
            if isinstance(self.points, tuple)
            else torch.full_like(chances, float(self.points))
        )
        if len(points) != len(chances):
            raise TargetError(f"{len(points)} operating points for {len(chances)} labels; give one, or one for each")
        unknown = torch.isnan(points) | torch.isnan(chances)
        reached = (chances >= points) & ~unknown
        order = chances.nan_to_num(nan=-1.0).argsort(descending=True, stable=True)
        return [int(n) for n in order if reached[n]], unknown.nonzero()[:, 0].tolist()

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the likeliest of the found labels of one image; raise `TargetError` where none is found."""
        if len(reading.output) != 1:
            raise TargetError("found labels differ from image to image; ask for them one image at a time")
        found, _ = self.found(reading.output.detach(), labels)
        if not found:
            chances = probabilities(reading.output.detach().float(), self.link)[0].nan_to_num(nan=-1.0)
            best = int(chances.argmax())
            raise TargetError(
                f"no label reaches its operating point; the likeliest is {name_of(best, labels)} with {float(chances[best]):.2f}. "
                "Ask for it by name, or lower the point: labels:0.2"
            )
        return bound_class(torch.tensor(found[:1], device=reading.output.device), labels, "logit", self.link)
