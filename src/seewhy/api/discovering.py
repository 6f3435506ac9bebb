"""`seewhy.discover`: what a layer's features are made of, in concepts that can be seen."""

from pathlib import Path

import torch

from seewhy.api import ModelLike, Session
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.discovered import Concepts
from seewhy.concepts.finding import TOP, Names, Wishes, discovered
from seewhy.concepts.fitting import AUTO_KIND, fit_dictionary
from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.place import concept_features
from seewhy.concepts.rows import POSITIONS, Crops, Source
from seewhy.concepts.weighing import Rule
from seewhy.core.method import AUTO
from seewhy.data.features import Progress
from seewhy.engine.model import Fit
from seewhy.errors import ConfigError

COUNT = 16
"""Concepts that are looked for."""


def discover(
    model: ModelLike,
    data: object,
    *,
    layer: str = AUTO,
    count: int = COUNT,
    kind: str = AUTO_KIND,
    source: str = POSITIONS.key,
    dictionary: Dictionary | str | Path | None = None,
    by: Rule = "shapley",
    names: Names = "classes",
    top: int = TOP,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> Concepts:
    """Take a layer's features apart into concepts, and say how much each counts, how far to trust it, and what it looks like.

    Args:
        model: a `seewhy.Model`, a network, or a name for `seewhy.load_model`; the built-in network if None.
        data: a folder, a list of files and folders, or ready inputs (inputs (n, c, h, w), labels (n,)); or `Features`.
        layer: whose features are taken apart; "auto" is the one that methods look at, or where something goes round that, the last one before it that
            everything passes through.
        count: how many concepts.
        kind: of dictionary: "nmf", "pca", "kmeans", "sae" or "auto".
        source: what is taken apart: "positions" of the layer (patches or tokens), or "crops" of the pictures, in CRAFT's manner, each of which costs a pass.
        dictionary: one that was made before, or its file, to be looked at on these pictures; nothing is fitted then, and layer, count and kind are its own.
        by: how importance is measured: "shapley", "sobol" (as in CRAFT) or "ablation".
        names: "classes": from the classes of the strongest pictures, where these surely say something; None: numbers; a text for each concept; or a
            function that is given a concept's strongest patches as PIL pictures and returns what it is called.
        top: pictures that show a concept.
        fit: how pictures are fitted; the model's own way if None.
        cache: folder for the features, so that they are computed once.
        seed: of everything that is drawn.
        device: where the network runs.
        progress: is told how many pictures are done, of how many.

    Returns:
        `Concepts`: `.concepts`, the most important first, `.dictionary`, `.save("concepts.json")`, `.pictures` to look at them.

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> found = seewhy.discover(None, "photos/", count=12)
        >>> print(found)
        >>> found.pictures.crop(found.concepts[0].top[0].picture, found.concepts[0].number).show()
    """
    session = Session(model, device=device, seed=seed)
    made = load_dictionary(dictionary) if isinstance(dictionary, (str, Path)) else dictionary
    wishes = Wishes(
        by, names, top, _source(source if made is None else made.settings.get("source"), session, cache), seed
    )
    if made is not None and layer not in (AUTO, made.layer):
        raise ConfigError(f"the dictionary is of layer {made.layer!r}, asked is {layer!r}; leave the layer out")
    layer = layer if made is None else made.layer
    given = concept_features(session, data, layer, fit=fit, cache=cache, progress=progress)
    if made is None:
        made = fit_dictionary(given, kind, count, seed=seed, source=wishes.source)
    made.check(given)
    return discovered(session, given, made, wishes, progress=progress)


def _source(name: str | None, session: Session, cache: str | Path | None) -> Source:
    """Return what is taken apart; positions where a dictionary does not say."""
    sources: dict[str, Source] = {POSITIONS.key: POSITIONS, Crops.key: Crops(session, cache=cache)}
    if name is not None and name not in sources:
        raise ConfigError(f"concepts are found in {' or '.join(sources)}, got {name!r}")
    return sources[name or POSITIONS.key]
