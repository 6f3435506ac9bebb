"""`seewhy.labels_above`: every label that a multi-label network found, with a map each, on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from seewhy.api import DEFAULT_METHOD, MethodLike, ModelLike, Session, Source, as_method
from seewhy.core.explanation import Explanation
from seewhy.core.sample import Sample
from seewhy.data.source import sample
from seewhy.engine import session as engine
from seewhy.engine.model import Fit
from seewhy.targets import ClassScore
from seewhy.targets.classes import name_of, probabilities
from seewhy.targets.labels import POINT, FoundLabels


@dataclass(frozen=True)
class Finding:
    """A label that was found: its name, its probability, its operating point, and the map of its logit."""

    name: str
    index: int
    probability: float
    point: float
    explanation: Explanation


@dataclass(frozen=True)
class Findings:
    """All labels of one picture that reach their operating points, the most probable first; none is no error.

    Attributes:
        found: the labels with their maps.
        left_out: names of labels that the network has never learned.
    """

    found: tuple[Finding, ...]
    left_out: tuple[str, ...]

    @property
    def limit(self) -> float:
        """End of the one colour scale that all maps share."""
        return max((one.explanation.scale_end() for one in self.found), default=0.0)

    def overlay(self, index: int = 0) -> Image.Image:
        """Draw the map of one label over the picture, on the scale of all."""
        one = self.found[index]
        title = f"{one.name} · p {one.probability:.2f} (from {one.point:g})"
        words = "the maximum over all labels of this picture"
        return one.explanation.overlay(title=title, limit=self.limit or None, normalization=words)


def labels_above(
    source: Source | Sample,
    model: ModelLike | engine.Session = None,
    points: float | Sequence[float] | None = None,
    *,
    method: MethodLike = DEFAULT_METHOD,
    fit: Fit | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> Findings:
    """Explain every label whose probability reaches its operating point.

    Args:
        source: a picture, as `seewhy.explain` takes it.
        model: a network whose labels stand each for itself: `seewhy.Model(..., probability="sigmoid")`; or an open session.
        points: operating points: one number, or one for each label, NaN for those never learned; the model's own if None, else 0.5.
        method: how the maps are made.
        fit: how the picture is fitted.
        seed: of everything that is drawn at random.
        device: where to run.

    Raises:
        TargetError: the model does not say that its labels stand each for itself, or the points do not fit.

    Example:
        >>> for one in seewhy.labels_above("xray.png", model, 0.5).found:
        ...     print(one.name, one.probability)
    """
    session = model if isinstance(model, engine.Session) else Session(model, seed=seed, device=device)
    made = source if isinstance(source, Sample) else sample(source, session.model, fit)
    stated = session.model.operating_points if points is None else points
    stated = POINT if stated is None else stated
    each = float(stated) if isinstance(stated, (int, float)) else tuple(float(point) for point in stated)
    asked = FoundLabels(each).placed([made], session.model.probability)
    answer = session.predict(made.inputs[None])
    found, unknown = asked.found(answer, session.model.labels) if isinstance(asked, FoundLabels) else ([], [])
    rows = session.answer([made], [ClassScore(index) for index in found], [as_method(method)]) if found else []
    chances = probabilities(answer, session.model.probability)[0]
    labels = session.model.labels
    return Findings(
        tuple(
            Finding(
                name_of(index, labels),
                index,
                float(chances[index]),
                each if isinstance(each, float) else each[index],
                row[0],
            )
            for index, row in zip(found, rows, strict=True)
        ),
        tuple(name_of(index, labels) for index in unknown),
    )
