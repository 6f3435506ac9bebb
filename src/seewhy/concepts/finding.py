"""From features and a dictionary to concepts: weighed, named, judged, with their pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.discovered import Concept, Concepts, Figures
from seewhy.concepts.field import field_of
from seewhy.concepts.naming import (
    ClassShare,
    Namer,
    class_names,
    class_shares,
    names_by,
    names_by_class,
    names_given,
    numbered,
)
from seewhy.concepts.pictures import ConceptPictures
from seewhy.concepts.quality import Quality, quality
from seewhy.concepts.replay import ConceptReplay
from seewhy.concepts.rows import POSITIONS, Source
from seewhy.concepts.stability import Stability, stability
from seewhy.concepts.weighing import Progress, Rule, Weighed, weighed
from seewhy.contributions.effects import is_classifier, losses
from seewhy.contributions.estimate import class_name, estimates
from seewhy.contributions.table import Estimate
from seewhy.data.features import Features
from seewhy.engine.head import Head
from seewhy.engine.session import Session
from seewhy.errors import ConfigError, DataError, LayerError

Names = str | Sequence[str] | Namer | None
"""How concepts are named: "classes", None for numbers, a text for each, or a function of their patches."""

TOP = 8
"""Pictures that show a concept."""
PRESENT = 0.5
"""Share of how strong it is in its strongest pictures, from which on a concept is present in a picture."""
SPEAKS = 5
"""Answers that are named for each concept."""
CLASS_LEAST = 2
"""Pictures that a class must have for an effect of its own."""


@dataclass(frozen=True)
class Wishes:
    """How concepts are weighed, named and judged.

    Args:
        by: "shapley", "sobol" or "ablation"; see `seewhy.concepts.weighing.weighed`.
        names: "classes": from the classes of the strongest pictures, where these surely say something; None: numbers; a text for each concept; or a
            function that is given the strongest patches of a concept as PIL pictures and returns what it is called.
        top: pictures that show a concept.
        source: what the dictionary was fitted on, for its stability.
        seed: of everything that is drawn.
    """

    by: Rule = "shapley"
    names: Names = "classes"
    top: int = TOP
    source: Source = POSITIONS
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.names, str) and self.names != "classes":
            raise ConfigError(
                f"names is 'classes', None, a list of texts or a function of pictures, got {self.names!r}"
            )
        if self.by not in get_args(Rule):
            raise ConfigError(f"concepts are weighed by {', '.join(map(repr, get_args(Rule)))}, got {self.by!r}")
        if self.top < 1:
            raise ConfigError(f"a concept is shown in at least 1 picture, got {self.top}")


def discovered(
    session: Session,
    features: Features,
    dictionary: Dictionary,
    wishes: Wishes = Wishes(),
    *,
    progress: Progress | None = None,
) -> Concepts:
    """Return the concepts of a dictionary with what is known about each.

    Args:
        session: runs the network.
        features: of the pictures.
        dictionary: of the concepts, for the layer of the features.
        wishes: how they are weighed and named.
        progress: is told how many pictures are weighed, where that takes time.

    Raises:
        ConfigError: a setting that does not fit.
        DataError: a picture that is gone.
    """
    pictures = ConceptPictures(features, dictionary, session.model)
    pictures = pictures.renewed(field=field_of(session, pictures))
    head, notes = _head(session, features)
    classes = class_names(features, session.model.labels)
    shares = class_shares(pictures, classes)
    named = replace(dictionary, names=_names(wishes.names, pictures, shares, wishes.top))
    pictures = pictures.renewed(dictionary=named)
    found = None
    if head is not None:
        replay = ConceptReplay(head, features, named, pictures.codes)
        found = weighed(replay, wishes.by, wishes.seed, progress)
    about = _judged(features, named, head, wishes)
    weights = _weights(found, session.model.labels or (), wishes.seed)
    listed = _concepts(pictures, about, weights, shares, wishes.top)
    ranked = sorted(listed, key=lambda one: (one.dead, -one.size.value if one.size else -one.share))
    return Concepts(
        tuple(ranked),
        named,
        features,
        _figures(about, found),
        pictures,
        classes,
        wishes.by,
        (*notes, *_notes(features, found, about)),
        session.provenance,
    )


def _head(session: Session, features: Features) -> tuple[Head | None, list[str]]:
    """Return what the network does behind the layer; where it cannot be had alone, nothing, and why."""
    try:
        return features.head(session), []
    except LayerError as error:
        return None, [f"importance is not known: {error}"]


@dataclass(frozen=True, eq=False)
class _Judged:
    """How far to trust a dictionary; its stability is not known where the pictures are too few, which `why` says."""

    quality: Quality
    stability: Stability | None
    why: str = ""


def _judged(features: Features, dictionary: Dictionary, head: Head | None, wishes: Wishes) -> _Judged:
    worth = quality(dictionary, features, head, seed=wishes.seed)
    try:
        return _Judged(worth, stability(dictionary, features, seed=wishes.seed, source=wishes.source))
    except DataError as error:
        return _Judged(worth, None, f"stability is not known: {error}")


def _names(
    wanted: Names, pictures: ConceptPictures, shares: Sequence[Sequence[ClassShare]], top: int
) -> tuple[str, ...]:
    count = len(pictures.dictionary)
    if wanted is None:
        return numbered(count)
    if isinstance(wanted, str):
        given = pictures.dictionary.names  # names that somebody gave stay, as those of a saved dictionary
        return names_by_class(shares) if given in ((), numbered(count)) else given
    if callable(wanted):
        living = (pictures.peaks > 0).any(dim=0).tolist()
        crops = [
            [pictures.crop(one.picture, concept) for one in pictures.strongest(concept, top)] if living[concept] else []
            for concept in range(count)
        ]
        return names_by(wanted, crops)
    return names_given(list(wanted), count)


def _concepts(
    pictures: ConceptPictures,
    about: _Judged,
    weights: Sequence[Mapping[str, Any]],
    shares: Sequence[Sequence[ClassShare]],
    top: int,
) -> list[Concept]:
    levels = _levels(pictures.peaks)
    made = []
    for number in range(len(pictures.dictionary)):
        share = about.quality.concepts[number]
        made.append(
            Concept(
                number,
                pictures.dictionary.names[number],
                share=share.lost,
                note=share.note,
                stability=None if about.stability is None else about.stability.values[number],
                prevalence=float((pictures.peaks[:, number] >= levels[number]).float().mean())
                if not share.note
                else 0.0,
                classes=tuple(shares[number]),
                top=() if share.note else pictures.strongest(number, top),
                **weights[number] if weights else {"size": None, "effect": None, "loss": None},
            )
        )
    return made


def _levels(peaks: Float[Tensor, "n k"]) -> list[float]:
    """Return from which peak on each concept is present: half of its mean peak in its strongest pictures."""
    strongest = peaks.topk(min(9, len(peaks)), dim=0).values.mean(dim=0)
    return [max(1e-12, PRESENT * float(level)) for level in strongest]


def _weights(found: Weighed | None, labels: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """Return what each concept does, as the fields of a `Concept`; nothing where that is not known."""
    if found is None:
        return []
    sizes = estimates(found.sizes, seed)
    signed = found.by != "sobol"
    effects = estimates(found.values, seed) if signed else [None] * len(sizes)
    rises = _rises(found)
    losses_ = estimates(rises, seed) if rises is not None else [None] * len(sizes)
    of_class = _of_classes(found, labels, seed) if signed else {}
    speaks = _speaks_for(found, labels)
    return [
        {
            "size": sizes[number],
            "effect": effects[number],
            "loss": losses_[number],
            "effects": {name: row[number] for name, row in of_class.items()},
            "speaks_for": speaks[number],
        }
        for number in range(len(sizes))
    ]


def _rises(found: Weighed) -> Float[Tensor, "n k"] | None:
    """Return how far the loss rises without each concept; None where the answers are no scores of classes."""
    whole = found.alone.whole.double()
    if not is_classifier(whole):
        return None
    without = whole[:, None] - found.alone.falls.double()
    classes = found.classes[:, None].expand(without.shape[:2]).flatten()
    after = losses(without.flatten(0, 1), classes).view(without.shape[:2])
    return after - losses(whole, found.classes)[:, None]


def _of_classes(found: Weighed, labels: Sequence[str], seed: int) -> dict[str, list[Estimate]]:
    """Return the effects over the pictures of each class that has several, most pictures first."""
    counts = torch.bincount(found.classes)
    order = [int(index) for index in counts.argsort(descending=True, stable=True)[:50]]
    return {
        class_name(index, labels): estimates(found.values[found.classes == index], seed)
        for index in order
        if counts[index] >= CLASS_LEAST
    }


def _speaks_for(found: Weighed, labels: Sequence[str]) -> list[Mapping[str, float]]:
    """Return the answers that fall most without each concept, against the mean over the answers, which changes no decision."""
    falls = found.alone.falls.double()
    if falls.shape[2] < 2:
        return [{}] * falls.shape[1]
    means = (falls - falls.mean(dim=2, keepdim=True)).mean(dim=0)  # (k, classes)
    made: list[Mapping[str, float]] = []
    for row in means:
        best = row.argsort(descending=True, stable=True)[:SPEAKS].tolist()
        made.append({class_name(index, labels): float(row[index]) for index in best if row[index] > 0})
    return made


def _figures(about: _Judged, found: Weighed | None) -> Figures:
    kept, control, again = about.quality.answers, about.quality.control, about.stability
    return Figures(
        about.quality.explained,
        None if kept is None else kept.agreement,
        None if kept is None else kept.r2,
        None if control is None else control.agreement,
        None if again is None else again.random,
        None if found is None else found.alone.additive,
        0 if found is None else len(found.places),
    )


def _notes(features: Features, found: Weighed | None, about: _Judged) -> list[str]:
    notes: list[str] = []
    if found is not None and len(found.places) < len(features):
        notes.append(f"importance was measured on {len(found.places)} of the {len(features)} pictures, drawn at random")
    if found is not None and not found.exact:
        notes.append(
            "behind this layer the effects of concepts do not add up, so importance is an estimate from samples of each picture"
        )
    return [*notes, *([about.why] if about.why else [])]
