"""Several methods and classes for one photo, side by side on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy import render
from seewhy.core.explanation import Explanation
from seewhy.core.method import Method
from seewhy.core.needs import Needs
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.engine.block import Question
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, GradientError, LayerError, MethodError, ShapeError, TargetError
from seewhy.evaluation.agreement import agreement
from seewhy.evaluation.area import concentration
from seewhy.report.examine import shrunk

UNFIT = (MethodError, GradientError, LayerError, TargetError, ConfigError, ShapeError)
"""What is raised where a method does not fit a network, its input or the budget."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Maps of one photo: rows are methods, columns are targets.

    Attributes:
        rows: per method that fits the network, one explanation for each target.
        refused: key of each method that does not fit, with the reason.
    """

    sample: Sample
    rows: tuple[tuple[Explanation, ...], ...]
    refused: dict[str, str] = field(default_factory=dict)

    @cached_property
    def agreement(self) -> Float[np.ndarray, "m m"]:
        """How far the methods agree on where the evidence for the first target lies; see `seewhy.evaluation.agreement`."""
        return agreement([row[0] for row in self.rows]).numpy()

    @property
    def frame(self) -> int | None:
        """Of a clip, the frame that is drawn: where the first method's map for the first target is strongest; None of a picture."""
        return self.rows[0][0].strongest_frame()

    def picture(self) -> Image.Image:
        """Draw the grid, each row on one scale over its classes, and below it how far the methods agree.

        Of a clip one frame is drawn; the agreement is that of the maps over all of its frames.

        Raises:
            ShapeError: it compares maps of a volume.
        """
        if self.sample.placement is not None:
            raise ShapeError(
                f"{self.sample.name}: maps of a volume are not drawn in a grid; explain it with one method after the other"
            )
        photo, frame = shrunk(self.sample.view(self.frame or 0), 320), self.frame
        size = (photo.height, photo.width)
        rows = [(row[0].method.title, [_drawn(made, size, frame) for made in row]) for row in self.rows]
        columns = [made.targets[0] for made in self.rows[0]]
        signed = [row[0].method.signed for row in self.rows]
        drawn = render.grid(photo, rows, columns, signed=signed, title=self._title)
        return drawn if len(rows) < 2 else render.stacked([drawn, self._matrix()], 24)

    @property
    def _title(self) -> str:
        if self.frame is None:
            return self.sample.name
        clip = self.sample.clip
        when = (
            f"frame {self.frame}"
            if clip is None
            else f"frame {clip.numbers[self.frame]}, {clip.seconds[self.frame]:.2f} s"
        )
        return f"{self.sample.name}: {when}"

    def _matrix(self) -> Image.Image:
        return render.matrix(
            [row[0].method.title for row in self.rows],
            self.agreement,
            title=f"Agreement on {self.rows[0][0].targets[0]}",
            note=f"rank correlation of the evidence on 14 x 14 cells{'' if self.frame is None else ' of up to 14 steps of time'}: "
            "1 the same order, 0 unrelated",
        )

    def numbers(self) -> dict[str, Any]:
        """Return scores, shares and costs as plain values."""
        return {
            "name": self.sample.name,
            "frame": self.frame,
            "targets": [made.targets[0] for made in self.rows[0]] if self.rows else [],
            "methods": [
                {
                    "method": row[0].method.key,
                    "settings": row[0].method.settings(),
                    "scores": [float(made.score[0]) for made in row],
                    "unit": row[0].unit,
                    "concentration": [_number(float(concentration(made)[0])) for made in row],
                    "cost": row[0].cost.as_dict(),
                    "notes": [list(made.notes[0]) for made in row],
                }
                for row in self.rows
            ],
            "agreement": [[_number(float(value)) for value in row] for row in self.agreement],
            "refused": self.refused,
        }


def _drawn(made: Explanation, size: tuple[int, int], frame: int | None) -> Float[np.ndarray, "h w"]:
    drawn = made.in_source(0, size).float().numpy()
    return drawn if frame is None else drawn[frame]


def _number(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 (NaN is not itself; JSON has no NaN)


def compare(session: Session, sample: Sample, targets: Sequence[Target], methods: Sequence[Method]) -> Comparison:
    """Explain one photo with several methods for several targets; all that can share passes do.

    Raises:
        MethodError: none of the methods fits the network.
    """
    inputs = session.network.accept(sample.inputs[None])
    refused: dict[str, str] = {}
    methods = _settled(session, inputs, methods, refused)
    needs = reduce(or_, [*(method.needs() for method in methods), *(target.needs() for target in targets)], Needs())
    block = session.block(inputs, needs)
    questions = [Question(block, target) for target in targets]
    rows = []
    for method in methods:
        try:
            rows.append(tuple(session.attribute(question, method, [sample]) for question in questions))
        except UNFIT as error:
            refused[method.key] = str(error)
    if not rows:
        raise MethodError("none of these methods fits this network: " + "; ".join(refused.values()))
    return Comparison(sample, tuple(rows), refused)


def _settled(session: Session, inputs: Tensor, methods: Sequence[Method], refused: dict[str, str]) -> list[Method]:
    """Settle the layers of each method; one that finds none in this network is refused."""
    settled = []
    for method in methods:
        try:
            settled.append(session.resolved(method, inputs))
        except UNFIT as error:
            refused[method.key] = str(error)
    return settled
