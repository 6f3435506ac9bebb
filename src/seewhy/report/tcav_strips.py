"""Given concepts in pictures: some of those that were given, and those of the data set that have most of it."""

from dataclasses import dataclass

import torch
from PIL import Image

from seewhy.concepts.pictures import ConceptPictures
from seewhy.concepts.sensitivity import Sensitivity
from seewhy.concepts.vectors import ConceptVectors
from seewhy.data.features import Features
from seewhy.engine.model import Model

SHOWN = 8
SIDE = 96


@dataclass(frozen=True, eq=False)
class Shown:
    """A concept in pictures.

    Attributes:
        given: some of the pictures that show it, as evenly chosen as can be.
        most: the pictures of the data set that lie farthest along it, dark where they do not.
        scores: of these: 0 like random pictures, 1 like those of the concept.
    """

    given: tuple[Image.Image, ...]
    most: tuple[Image.Image, ...]
    scores: tuple[float, ...]


def shown(
    found: Sensitivity, given: dict[str, Features], data: Features, model: Model, count: int = SHOWN
) -> dict[str, Shown]:
    """Return each concept in pictures, by its name."""
    whole = ConceptPictures(data, found.vectors, model)
    scores = found.vectors.scores(data)
    return {
        name: _shown(place, given[name], found.vectors, whole, scores[:, place], count)
        for place, name in enumerate(found.vectors.names)
    }


def _shown(  # noqa: PLR0917 (one concept, and where to look for it)
    place: int,
    given: Features,
    vectors: ConceptVectors,
    whole: ConceptPictures,
    scores: torch.Tensor,
    count: int,
) -> Shown:
    own = ConceptPictures(given, vectors, whole.model)
    chosen = torch.linspace(0, len(given) - 1, min(count, len(given))).round().long().tolist()
    most = scores.argsort(descending=True, stable=True)[:count].tolist()
    return Shown(
        tuple(own.picture(row).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC) for row in chosen),
        tuple(whole.shown(row, place, SIDE) for row in most),
        tuple(float(scores[row]) for row in most),
    )
