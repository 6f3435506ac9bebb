"""Names of concepts: from the classes of their strongest pictures where these say something, or from a function of the user's; never invented."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from scipy import stats  # type: ignore[import-untyped]

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.pictures import ConceptPictures
from seewhy.data.features import Features
from seewhy.engine.model import Model
from seewhy.errors import ConfigError
from seewhy.ops.chance import holm
from seewhy.render.bar import percent

Namer = Callable[[list[Image.Image]], str]
"""Is given the strongest patches of a concept, and returns what they have in common in a few words."""

LEVEL = 0.05
"""Chance of any class being named at all where the concepts have nothing to do with classes."""
LEAST_SHARE = 0.3
"""Share of a concept's strongest pictures from which on a class may name it."""
MOST_NAMED = 2
"""Classes that a name holds."""
LONGEST = 60
"""Letters of a name."""


@dataclass(frozen=True)
class ClassShare:
    """How often a class is met among the strongest pictures of a concept.

    Attributes:
        name: of the class.
        share: of the strongest pictures.
        base: of all pictures.
        p: chance of a share as large where the concept has nothing to do with the class, corrected for all concepts and classes.
    """

    name: str
    share: float
    base: float
    p: float


def numbered(count: int) -> tuple[str, ...]:
    """Return names that say nothing: "concept 7"."""
    return tuple(f"concept {number}" for number in range(count))


def class_names(features: Features, labels: Sequence[str] | None) -> tuple[str | None, ...]:
    """Return the class of each picture as people call it: the network's name for its label, else the folder it lies in, where there are several."""
    folders = [Path(path).parent.name for path in features.data.paths or ()]
    told = len(set(folders)) > 1
    names: list[str | None] = []
    for place, label in enumerate(features.labels.tolist()):
        if label >= 0:
            names.append(labels[label] if labels and label < len(labels) else f"class {label}")
        else:
            names.append(folders[place] if told else None)
    return tuple(names)


def class_shares(pictures: ConceptPictures, classes: Sequence[str | None]) -> tuple[tuple[ClassShare, ...], ...]:
    """Return, for each concept, the classes that are met more often among its strongest pictures than among all, surely so, most often first.

    The strongest pictures are the first twentieth of those whose class is known, at least 10 and at most 100, of which those count in which
    the concept is present. If these were drawn at random, the number of a class among them would have a hypergeometric distribution;
    chances are corrected by Holm over all pairs of concept and class.
    """
    known = [place for place, name in enumerate(classes) if name is not None]
    totals = Counter(classes[place] for place in known)
    if len(totals) < 2:
        return ((),) * len(pictures.dictionary)
    tried: list[tuple[int, str, float, float]] = []
    chances: list[float] = []
    peaks = pictures.peaks[known]
    most = min(100, max(10, len(known) // 20))
    for concept in range(len(pictures.dictionary)):
        order = peaks[:, concept].argsort(descending=True, stable=True)[:most].tolist()
        rows = [known[row] for row in order if peaks[row, concept] > 0]
        for name, met in Counter(classes[row] for row in rows).items():
            if name is not None:
                tried.append((concept, name, met / len(rows), totals[name] / len(known)))
                chances.append(float(stats.hypergeom.sf(met - 1, len(known), totals[name], len(rows))))
    # every pair was a candidate, also those that were never met: they count in the correction
    absent = len(pictures.dictionary) * len(totals) - len(tried)
    corrected = holm([*chances, *[1.0] * absent])
    found: list[list[ClassShare]] = [[] for _ in range(len(pictures.dictionary))]
    for (concept, name, share, base), p in zip(tried, corrected, strict=False):
        if p <= LEVEL:
            found[concept].append(ClassShare(name, share, base, p))
    return tuple(tuple(sorted(one, key=lambda entry: (-entry.share, entry.p))) for one in found)


def names_by_class(shares: Sequence[Sequence[ClassShare]]) -> tuple[str, ...]:
    """Return "concept 7 (71 % frog)" where a class surely stands out among the strongest pictures, else "concept 7"."""
    named = []
    for plain, listed in zip(numbered(len(shares)), shares, strict=True):
        told = [one for one in listed if one.share >= LEAST_SHARE][:MOST_NAMED]
        classes = ", ".join(f"{percent(one.share)} {_cut(one.name, 24)}" for one in told)
        named.append(f"{plain} ({classes})" if classes else plain)
    return tuple(named)


def named_by_class(dictionary: Dictionary, features: Features, model: Model) -> Dictionary:
    """Return a dictionary whose concepts are named by the classes of their strongest pictures, where these surely say something."""
    shares = class_shares(ConceptPictures(features, dictionary, model), class_names(features, model.labels))
    return replace(dictionary, names=names_by_class(shares))


def names_by(namer: Namer, crops: Sequence[Sequence[Image.Image]]) -> tuple[str, ...]:
    """Return what a function of the user's calls each concept; those without pictures, or without an answer, keep their number.

    Args:
        namer: is given the patches of one concept as PIL pictures.
        crops: strongest patches of each concept.

    Raises:
        ConfigError: something else than text came back.
    """
    plain = numbered(len(crops))
    names = []
    for number, pictures in enumerate(crops):
        given = namer([picture.copy() for picture in pictures]) if pictures else ""
        if not isinstance(given, str):
            raise ConfigError(
                f"names= is given a list of pictures and returns a text, for concept {number} it returned {type(given).__name__}"
            )
        names.append(clean(given) or plain[number])
    return distinct(names)


def names_given(given: Sequence[str], count: int) -> tuple[str, ...]:
    """Return names that the user wrote down; raise `ConfigError` where their number does not fit."""
    if len(given) != count or not all(isinstance(name, str) for name in given):
        raise ConfigError(f"names= holds one text for each of the {count} concepts, got {len(given)}")
    plain = numbered(count)
    return distinct([clean(name) or plain[number] for number, name in enumerate(given)])


def clean(text: str) -> str:
    """Return a text as one short line without control characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 20 * LONGEST]).split())
    return _cut(line, LONGEST)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of which no two are the same: each that is met again is followed by its number."""
    met = Counter(names)
    return tuple(name if met[name] == 1 else f"{name} ({number})" for number, name in enumerate(names))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
