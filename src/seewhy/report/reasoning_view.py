"""A photo through a student, in pictures: the photo, the network's heatmap, the student's own map, and each reason where it is in the photo."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from seewhy.concepts.pca import PCA
from seewhy.concepts.pictures import ConceptPictures, enlarged
from seewhy.core.explanation import Explanation
from seewhy.data.features import Features
from seewhy.engine.session import Session
from seewhy.errors import DataError
from seewhy.render.scene import scene
from seewhy.report.concept_strips import pictures_of
from seewhy.report.reasoning import Case, Reason, Reasoning, reasoning
from seewhy.surrogates.basis import ConceptScores
from seewhy.surrogates.linear import Linear
from seewhy.surrogates.student import Student

SIDE = 288
"""Pixels of the side of a large picture."""
SMALL = 96
"""Of a small one."""
MOST_SHOWN = 12
"""Reasons of a class that are shown with a picture."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A reason with its picture; None where there is none."""

    reason: Reason
    picture: Image.Image | None


@dataclass(frozen=True, eq=False)
class ReasoningView:
    """All pictures about one photo and one student.

    Attributes:
        reasoning: in words and numbers.
        photo: as the network sees it.
        heatmap: of the network, for its own class, over the photo.
        method: that drew it.
        maps: the student's own map of each case, over the photo, for sums over places; none elsewhere.
        limit: end of the scale of these maps, in units of the score.
        shown: the reasons of each case.
    """

    reasoning: Reasoning
    photo: Image.Image
    heatmap: Image.Image
    method: str
    maps: tuple[Image.Image, ...]
    limit: float
    shown: tuple[tuple[Shown, ...], ...]


def reasoning_view(student: Student, features: Features, session: Session, explanation: Explanation) -> ReasoningView:
    """Return the view of the first picture.

    Args:
        student: of the session's network.
        features: of one photo.
        session: holds the network.
        explanation: of the network's class for the same photo.
    """
    found = reasoning(student, features)
    seen = pictures_of(student.basis, features, session.model)
    pictures = seen or ConceptPictures(features, _nothing(features), session.model)
    photo = enlarged(pictures.picture(0), (SIDE, SIDE))
    fields = [_field(student, features, case) for case in found.cases]
    own = [field for field in fields if field is not None]
    limit = max((float(np.abs(field).max()) for field in own), default=0.0)
    maps = tuple(scene(photo, field, (SIDE, SIDE), signed=True, limit=limit, outline=None) for field in own)
    shown = tuple(tuple(_shown(student, one, seen) for one in case.reasons) for case in found.cases)
    return ReasoningView(found, photo, _over(photo, explanation), explanation.method.title, maps, limit, shown)


def _nothing(features: Features) -> PCA:
    return PCA(torch.zeros(1, features.channels), torch.zeros(features.channels), ("nothing",), features.layer)


def _over(photo: Image.Image, explanation: Explanation) -> Image.Image:
    """Return the network's heatmap over the photo as the network sees it."""
    values = explanation.heatmap[0].detach().float().cpu().numpy()
    limit = float(np.abs(values).max())
    return scene(photo, values, (SIDE, SIDE), signed=explanation.method.signed, limit=limit, outline=None)


def _field(student: Student, features: Features, case: Case) -> Float[np.ndarray, "h w"] | None:
    """Return what each place adds to the score of a class, for a linear student over mean codes; its sum, the start and what is usual give the score."""
    model, basis = student.surrogate, student.basis
    if not isinstance(model, Linear) or not isinstance(basis, ConceptScores) or len(features.cells) != 2:
        return None
    codes = basis.dictionary.codes(features)[0]
    weight = model.weights[student.learned.index(case.answer)] / model.scale
    field = torch.einsum("k,khw->hw", weight, codes) / codes[0].numel()
    values: Float[np.ndarray, "h w"] = field.numpy()
    return values


def _shown(student: Student, reason: Reason, seen: ConceptPictures | None) -> Shown:
    """Return a reason with its picture: the photo where the concept lights it up; of a prototype, it and where the two match."""
    lit = None if reason.number is None or seen is None else seen.shown(0, reason.number, SMALL, reason.strength)
    if reason.prototype is None:
        return Shown(reason, lit)
    return Shown(reason, _match(student, reason, lit))


def _match(student: Student, reason: Reason, lit: Image.Image | None) -> Image.Image | None:
    """Return a prototype, and both pictures where what makes them most alike lights them up; None where its file is gone or is another one now."""
    number = reason.prototype or 0
    if number >= len(student.examples):
        return None
    try:
        given = student.features(student.examples[number].found())
    except DataError:
        return None
    seen = pictures_of(student.basis, given, student.session.model) if student.session is not None else None
    if seen is None:
        return None
    row = [enlarged(seen.picture(0), (SMALL, SMALL))]
    if lit is not None and reason.number is not None:
        row += [seen.shown(0, reason.number, SMALL), lit]
    return beside(row)


def beside(pictures: Sequence[Image.Image], gap: int = 4) -> Image.Image:
    """Return pictures of one height side by side, on white."""
    made = Image.new("RGB", (sum(one.width + gap for one in pictures) - gap, pictures[0].height), "white")
    left = 0
    for one in pictures:
        made.paste(one, (left, 0))
        left += one.width + gap
    return made
