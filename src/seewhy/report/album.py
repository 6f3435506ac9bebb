"""The photos of a page about a student: whole, or dark where a concept does not light up; the page holds each once, wherever it is shown."""

from dataclasses import dataclass, field

from markupsafe import Markup
from PIL import Image

from seewhy.concepts.pictures import ConceptPictures
from seewhy.data.features import Features
from seewhy.engine.model import Model
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.report.concept_strips import pictures_of
from seewhy.surrogates.basis import Basis, ConceptScores

SIDE = 80
"""Pixels of the side of a photo."""
QUALITY = 62
"""Of WebP, 0 to 100."""
WHOLE = -1
"""Stands for no concept: the photo is shown as it is."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A photo on the page.

    Attributes:
        number: of its symbol.
        name: what it shows, for those who do not see it.
    """

    number: int
    name: str


@dataclass(frozen=True, eq=False)
class Album:
    """Square photos of a data set, each under a number.

    Attributes:
        pictures: the data, seen through what the student reads.
        lights: whether that lights places up; else photos are shown whole.
    """

    pictures: ConceptPictures
    lights: bool
    _made: dict[tuple[int, int, int], tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, features: Features, basis: Basis, model: Model) -> "Album | None":
        """Return the album of these pictures; None where what is read has no place in them."""
        seen = pictures_of(basis, features, model)
        return None if seen is None else cls(seen, isinstance(basis, ConceptScores) or seen.codes.dim() == 4)

    def photo(self, row: int) -> Shot:
        """Return a photo as the network sees it."""
        return self._shot(row, WHOLE, 1.0)

    def lit(self, row: int, concept: int, strength: float = 1.0) -> Shot:
        """Return a photo that is dark where a concept does not light up.

        Args:
            row: number of the photo.
            concept: its number.
            strength: how bright the lit places are, from 0 (as dark as the rest) to 1.
        """
        return self._shot(row, concept if self.lights else WHOLE, strength if self.lights else 1.0)

    def symbols(self) -> Markup:
        """Return what holds the photos; it stands on the page before any is shown."""
        inner = Markup("").join(
            Markup('<symbol id="p{}" viewBox="0 0 {} {}"><image href="{}" width="{}" height="{}"/></symbol>\n').format(
                number, SIDE, SIDE, uri, SIDE, SIDE
            )
            for number, uri in self._made.values()
        )
        return Markup('<svg class="symbols" aria-hidden="true">{}</svg>').format(inner)

    def _shot(self, row: int, concept: int, strength: float) -> Shot:
        level = round(16 * min(max(strength, 0.0), 1.0))
        key = (row, concept, level)
        if key not in self._made:
            uri = data_uri(webp_bytes(self._drawn(row, concept, level / 16), QUALITY), "image/webp")
            self._made[key] = (len(self._made), uri)
        return Shot(self._made[key][0], self.pictures.features.data.names[row])

    def _drawn(self, row: int, concept: int, strength: float) -> Image.Image:
        if concept == WHOLE:
            return self.pictures.plain(row, SIDE)
        return self.pictures.shown(row, concept, SIDE, strength)
