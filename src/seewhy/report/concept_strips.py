"""What a student reads, in pictures: for each concept or channel the pictures in which it is strongest, as one strip."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from markupsafe import Markup
from PIL import Image

from seewhy.concepts.pca import PCA
from seewhy.concepts.pictures import ConceptPictures
from seewhy.data.features import Features
from seewhy.engine.model import Model
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.surrogates.basis import Basis, ConceptScores, PooledChannels
from seewhy.surrogates.superpixel_words import SuperpixelWords

COUNT = 5
"""Pictures of a strip."""
SIDE = 72
"""Pixels of the side of each."""
GAP = 4
QUALITY = 72


@dataclass(frozen=True, eq=False)
class Strips:
    """Strips of pictures, each held by the page once and shown wherever it is wanted.

    Attributes:
        symbols: what holds them; it stands on the page before they are shown.
        numbers: of the concepts that have a strip.
    """

    symbols: Markup
    numbers: frozenset[int]


def pictures_of(basis: Basis, features: Features, model: Model) -> ConceptPictures | None:
    """Return pictures seen through what a student reads; None where that has no place in them."""
    if isinstance(basis, ConceptScores):
        return ConceptPictures(features, basis.dictionary, model)
    if isinstance(basis, PooledChannels):
        return ConceptPictures(features, _axes(basis), model)
    if isinstance(basis, SuperpixelWords):
        return ConceptPictures(features, basis.maps, model)
    return None


def _axes(basis: PooledChannels) -> PCA:
    """Return channels as a dictionary: its atoms are the axes."""
    return PCA(torch.eye(basis.channels), torch.zeros(basis.channels), basis.names, basis.layer)


def strips(pictures: ConceptPictures | None, concepts: Iterable[int], among: torch.Tensor | None = None) -> Strips:
    """Return a strip for each of some concepts.

    Args:
        pictures: to choose from; None gives no strip.
        concepts: their numbers.
        among: numbers of the pictures to choose from; all if None.
    """
    made = {} if pictures is None else {number: strip(pictures, number, among) for number in sorted(set(concepts))}
    symbols = Markup("\n").join(
        Markup('<symbol id="strip{}" viewBox="0 0 {} {}"><image href="{}" width="{}" height="{}"/></symbol>').format(
            number, picture.width, picture.height, data_uri(webp_bytes(picture, QUALITY), "image/webp"), *picture.size
        )
        for number, picture in made.items()
    )
    held = Markup('<svg class="symbols" aria-hidden="true">{}</svg>').format(symbols) if made else Markup()
    return Strips(held, frozenset(made))


def strip(
    pictures: ConceptPictures, concept: int, among: torch.Tensor | None = None, count: int = COUNT
) -> Image.Image:
    """Return the pictures in which a concept is strongest, side by side, dark where it does not light up."""
    found = pictures.strongest(concept, count, among)
    return side_by_side([pictures.shown(one.picture, concept, SIDE) for one in found])


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return square pictures in a row, on a transparent ground."""
    made = Image.new("RGBA", (len(pictures) * (SIDE + GAP) - GAP, SIDE))
    for place, picture in enumerate(pictures):
        made.paste(picture, (place * (SIDE + GAP), 0))
    return made
