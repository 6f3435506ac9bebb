"""`seewhy.tcav`: do the concepts that somebody gives by examples matter to a network?"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from seewhy.api import ModelLike, Session
from seewhy.concepts.directions import way_of
from seewhy.concepts.examples import Examples, examples
from seewhy.concepts.place import concept_features
from seewhy.concepts.sensitivity import Sensitivity
from seewhy.concepts.tcav import REPEATS, Trial
from seewhy.concepts.trying import Ground, tried
from seewhy.core.method import AUTO
from seewhy.data.features import Features, Progress, features
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError, DataError
from seewhy.targets.classes import find_class, name_of

CLASSES = 10
"""Classes that are looked at where none are asked for: those with most pictures."""
LEAST_REPEATS = 50
LEAST_OF_CLASS = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Probing:
    """Concepts that were tried, with all that they were tried on.

    Attributes:
        found: what was found.
        given: the pictures of the concepts.
        data: the pictures of the classes.
        session: holds the network.
    """

    found: Sensitivity
    given: Examples
    data: Features
    session: Session


def tcav(
    model: ModelLike,
    data: object,
    concepts: object,
    *,
    layer: str = AUTO,
    classes: Sequence[str | int] | str | int | None = None,
    random: object = None,
    way: str = "mean difference",
    repeats: int = REPEATS,
    erase: bool = True,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Say which given concepts speak for or against which classes, how much, and whether random pictures would do the same.

    For each concept: held-out accuracy, beside that of random concepts (the gate); for each class TCAV and the effect in logits, with intervals over
    repeats, the band of random concepts, and a chance that is corrected for all concepts and classes; and what the network gets wrong once the concept
    is taken out of the layer.

    Args:
        model: a `seewhy.Model`, a network, or a name for `seewhy.load_model`; the built-in network if None.
        data: pictures of the classes: a folder, a list of files and folders, ready inputs (inputs (n, c, h, w), labels (n,)), or `Features`.
        concepts: a folder with a folder of pictures for each concept, or {name: pictures}.
        layer: where concepts are looked for; "auto" is the layer that methods look at, or where something goes round that, the last one before it that
            everything passes through.
        classes: names or indices; None takes the ten with most pictures.
        random: pictures that concepts are set against; None takes the data, for each class without its own.
        way: "mean difference", "ridge" or "logistic": how a concept's direction is found.
        repeats: of the resampling that intervals come from, at least 50.
        erase: also take each concept out of the layer.
        fit: how pictures are fitted.
        cache: folder for what the layer gives, so that it is computed once.
        seed: of everything that is drawn.
        device: where the network runs.
        progress: is told how many pictures are done, of how many.

    Returns:
        A `Sensitivity`; its `vectors` score new pictures along each concept.

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> found = seewhy.tcav(network, "photos/", "concepts/", layer="layer3", random="random/")
        >>> found.of("striped", "zebra").direction
        'for'
    """
    session = Session(model, device=device, seed=seed)
    return probing(
        session,
        data,
        concepts,
        layer=layer,
        classes=classes,
        random=random,
        trial=trial_of(way, repeats, seed),
        erase=erase,
        fit=fit,
        cache=cache,
        progress=progress,
    ).found


def probing(
    session: Session,
    data: object,
    concepts: object,
    *,
    layer: str = AUTO,
    classes: Sequence[str | int] | str | int | None = None,
    random: object = None,
    trial: Trial | None = None,
    erase: bool = True,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Probing:
    """Return what was found with all that it was made from; see `tcav`."""

    def seen(source: object, at: str) -> Features:
        return features(session, source, at, fit=fit, cache=cache, progress=progress)

    shown = concept_features(session, data, layer, fit=fit, cache=cache, progress=progress)
    chosen = _classes(classes, shown, session.model.labels)
    given = examples(concepts, lambda source: seen(source, shown.layer))
    others = None if random is None else seen(random, shown.layer)
    ground = Ground(shown, shown.head(session), chosen, others)
    found = tried(given, ground, trial or Trial(), erase=erase)
    return Probing(dataclasses.replace(found, provenance=session.provenance), given, shown, session)


def trial_of(way: str, repeats: int, seed: int) -> Trial:
    """Return how concepts are tried; raise `ConfigError` for an unknown way, or too few repeats."""
    if repeats < LEAST_REPEATS:
        raise ConfigError(f"intervals take at least {LEAST_REPEATS} repeats, got {repeats}")
    return Trial(way_of(way), repeats, seed=seed)


def _classes(
    asked: Sequence[str | int] | str | int | None, data: Features, labels: Sequence[str] | None
) -> dict[int, str]:
    """Return the classes that are looked at, by index: those asked for, or those with most pictures."""
    known = bool((data.labels >= 0).all())
    counts = torch.bincount(data.labels if known else data.predicted, minlength=data.outputs.shape[1])
    if asked is None:
        common = counts.argsort(descending=True, stable=True)[:CLASSES].tolist()
        indices = sorted(index for index in common if counts[index] >= LEAST_OF_CLASS)
        if not indices:
            raise DataError(
                f"no class has {LEAST_OF_CLASS} of the {len(data)} pictures, and gradients are taken at several; give more pictures of a class"
            )
    else:
        listed = [asked] if isinstance(asked, (str, int)) else list(asked)
        indices = [find_class(one, data.outputs.shape[1], labels) for one in listed]
    for index in indices:
        if counts[index] < LEAST_OF_CLASS:
            raise DataError(
                f"the data set has {int(counts[index])} pictures of {name_of(index, labels)!r}, and TCAV takes at least {LEAST_OF_CLASS}; give more of them"
            )
    return {index: name_of(index, labels) for index in dict.fromkeys(indices)}
