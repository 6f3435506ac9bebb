"""A student of prototypes: each class with its example pictures, and pictures that it took for them, with the patches that match."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from seewhy.concepts.pictures import ConceptPictures, enlarged
from seewhy.engine.model import Model
from seewhy.render.encode import data_uri, webp_bytes
from seewhy.report.concept_strips import pictures_of
from seewhy.surrogates.distilling import Material
from seewhy.surrogates.prototypes import Nearest, Prototypes
from seewhy.surrogates.student import Student

MOST_CLASSES = 60
"""Classes that the page shows; the rest stands in the text file."""
MOST_PROTOTYPES = 6
"""Prototypes of a class that are shown."""
MOST_MATCHES = 3
"""Pictures of a class that are shown beside the prototype that they were taken for."""
SIDE = 96
QUALITY = 72


def prototypes_block(
    student: Student, surrogate: Prototypes, material: Material, model: Model
) -> dict[str, Any] | None:
    """Return what `prototypes.html.jinja` uses, by name; None where what is read has no place in pictures."""
    pictures = pictures_of(student.basis, material.features, model)
    if pictures is None:
        return None
    rows = material.splits.report
    x = student.basis.read(material.features.part(rows))
    near = [found[0] for found in surrogate.nearest(x)]
    network = material.features.predicted[rows]
    block = _Block(student, surrogate, pictures, rows.tolist(), near, network.tolist())
    count = min(len(student.classes), MOST_CLASSES)
    return {
        "classes": [block.of(place) for place in range(count)],
        "classes_left": len(student.classes) - count,
        "noun": student.basis.noun,
        "wrong": block.wrong(),
    }


@dataclass(frozen=True, eq=False)
class _Block:
    """What the page shows of each class.

    Attributes:
        student, surrogate: shown.
        pictures: seen through what the student reads.
        rows: numbers of the pictures of the report.
        near: the prototype that each of these is most like.
        network: the network's class of each.
    """

    student: Student
    surrogate: Prototypes
    pictures: ConceptPictures
    rows: list[int]
    near: list[Nearest]
    network: list[int]

    def of(self, place: int) -> dict[str, Any]:
        """Return a class: its prototypes, and the pictures most like one of them, of those that the network gives to it as well."""
        owned = (self.surrogate.owners == place).nonzero()[:, 0].tolist()
        index = self.student.classes[place]
        right = [n for n, one in enumerate(self.near) if one.class_ == place and self.network[n] == index]
        right.sort(key=lambda n: -self.near[n].similarity)
        taken = sum(one.class_ == place for one in self.near)
        return {
            "name": self.student.learned[place],
            "prototypes": [self._prototype(number) for number in owned[:MOST_PROTOTYPES]],
            "left": max(0, len(owned) - MOST_PROTOTYPES),
            "taken": taken,
            "right": len(right),
            "matches": [self._match(n) for n in _spread(right, MOST_MATCHES)],
        }

    def wrong(self) -> list[dict[str, Any]]:
        """Return pictures of which student and network say different things, those with the greatest likeness first."""
        learned = self.student.classes
        apart = [n for n, one in enumerate(self.near) if learned[one.class_] != self.network[n]]
        apart.sort(key=lambda n: -self.near[n].similarity)
        return [self._match(n) for n in apart[:6]]

    def _prototype(self, number: int) -> dict[str, Any]:
        row, point = int(self.surrogate.pictures[number]), self.surrogate.points[number]
        concept = int(point.argmax())
        return {
            "picture": _uri(self._whole(row)),
            "name": self.pictures.features.data.names[row].rpartition("/")[2],
            "lit": _uri(self.pictures.shown(row, concept, SIDE)),
            "concept": self.student.basis.names[concept],
        }

    def _match(self, n: int) -> dict[str, Any]:
        """Return a picture, the prototype that it was taken for, and what makes them alike."""
        one, row = self.near[n], self.rows[n]
        concept = max(range(len(one.shares)), key=lambda number: one.shares[number])
        return {
            "picture": _uri(self._whole(row)),
            "name": self.pictures.features.data.names[row].rpartition("/")[2],
            "prototype": _uri(self._whole(one.picture)),
            "lit": _uri(self.pictures.shown(row, concept, SIDE)),
            "lit_prototype": _uri(self.pictures.shown(one.picture, concept, SIDE)),
            "concept": self.student.basis.names[concept],
            "share": f"{one.shares[concept]:.2f} of the {one.similarity:.2f} in common",
            "answer": self.student.learned[one.class_],
            "network": self.student.labels[self.network[n]],
        }

    def _whole(self, row: int) -> Image.Image:
        return enlarged(self.pictures.picture(row), (SIDE, SIDE))


def _spread(ordered: list[int], count: int) -> list[int]:
    """Return so many of a list, from its first to its middle: likeness as it usually is, not at its best alone."""
    if len(ordered) <= count:
        return ordered
    return [ordered[round(place * (len(ordered) - 1) / 2 / max(1, count - 1))] for place in range(count)]


def _uri(picture: Image.Image) -> str:
    return data_uri(webp_bytes(picture, QUALITY), "image/webp")
