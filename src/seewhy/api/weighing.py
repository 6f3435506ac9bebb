"""`seewhy.importance`: how much each part of the input, or of the network, counts."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from seewhy.api import ModelLike, TargetLike, as_model
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.stated import stated_concepts
from seewhy.concepts.units import ConceptUnits
from seewhy.contributions.attributes import attributes_of
from seewhy.contributions.bands import Bands, band_names
from seewhy.contributions.blocks import Blocks
from seewhy.contributions.foreground import Foreground, with_masks
from seewhy.contributions.heads import Heads
from seewhy.contributions.importance import importance_of
from seewhy.contributions.known import Known, KnownChannels
from seewhy.contributions.layer_channels import Channels
from seewhy.contributions.measuring import Plan
from seewhy.contributions.parts import RESAMPLE
from seewhy.contributions.regions import Regions, superpixels
from seewhy.contributions.table import Importance
from seewhy.contributions.units import Units
from seewhy.core.budget import Budget
from seewhy.core.method import AUTO
from seewhy.data.dataset import Dataset, dataset
from seewhy.data.features import features
from seewhy.data.picture import sample
from seewhy.data.table import Table, read_table
from seewhy.engine.model import Fit, Model
from seewhy.engine.session import Progress, Session
from seewhy.errors import ConfigError, nearest
from seewhy.targets import as_target

REPEATS = 5
"""Pictures that lend a band, one after the other."""
ATTRIBUTES = "attributes"
SIDE = 7
"""Boxes along each side of the grid."""
DEEP_SIDE = 4
"""The same of clips and volumes, along their frames or slices too."""
COUNT = 40
"""About how many superpixels."""
ROWS = 16
"""Rows of a pass: a number that is not measured, so that the same seed gives the same table to the last bit."""
CHANNEL_ROWS = 64
"""The same where only what follows a layer runs."""


@dataclass(frozen=True)
class Wanted:
    """Which units are asked about, and what they are made of; see `importance`."""

    replace: str | None = None
    layer: str | None = None
    masks: Any = None
    count: int | None = None
    repeats: int | None = None
    gradients: bool = False
    left_out: int = 0
    dictionary: Dictionary | str | Path | None = None

    def settings(self, fill: str, repeats: int = 1) -> dict[str, Any]:
        """Return what stands in the place of a unit, and how often another picture lends it."""
        chosen = self.replace or fill
        return {"fill": chosen, "repeats": (self.repeats or repeats) if chosen == RESAMPLE else 1}


def importance(
    model: ModelLike,
    data: Any,
    of: str = "regions",
    *,
    by: str = "ablation",
    target: TargetLike = None,
    replace: str | None = None,
    layer: str | None = None,
    masks: str | Path | Tensor | None = None,
    table: str | Path | None = None,
    key: str | None = None,
    dictionary: Dictionary | str | Path | None = None,
    count: int | None = None,
    repeats: int | None = None,
    samples: int | None = None,
    truncation: float = 0.0,
    orders: int = 10,
    group: float | None = None,
    interactions: bool = False,
    check: bool = True,
    budget: Budget = None,
    fit: Fit | None = None,
    cache: str | Path | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Importance:
    """Rank the units of one kind by what the network loses without them, with intervals, and check the ranking.

    Args:
        model: a `seewhy.Model`, a network, or a name for `seewhy.load_model`; the built-in network if None.
        data: one picture, a folder, a list of files, or ready inputs with labels: (inputs (n, c, h, w), labels (n,)). The class of a picture is
            told from the name of its folder or file; a tensor alone has no labels.
        of: "regions" (boxes of a grid) or "superpixels" (one photo only) of the picture, "foreground", "bands" (channels of the input);
            "channels" of a layer, "heads" of attention, "layers" (blocks of the network), "concepts" of a dictionary.
        by: "ablation" takes each unit away alone; "shapley" is its mean part over the orders in which all could go; "contribution", for
            channels, is what taking one away does to first order: gradient times activation, summed over positions.
        target: what is asked of the network's answer; None is the class that the label names, the predicted one where no label is known.
        replace: what stands where a unit was: "mean", "resample" (another picture's), "blur"; on request "zero", "black", "white", "noise".
            By default bands are resampled, parts of the picture blurred, channels and heads held at their mean over the data (for a single photo
            at what they are for the blurred photo); by contribution they are set to zero. Layers are left out ("bypass") where they add to
            what they are given, else held at their "mean".
        layer: where channels are; the layer that methods look at if None. For heads, the block that they are in. For layers, which ones are to
            count, separated by commas; the network's blocks if None.
        masks: for "foreground": a folder with a mask for each picture, of the same name, in which the object is not black; or a tensor (n, h, w).
        table: for "attributes": a CSV file with a line for each picture, one column with its file name, the others what is known of it. They are
            shuffled to see what a model of the loss loses by it; see `seewhy.contributions.attributes.attributes`. Takes target and seed
            of the other settings.
        key: the column of the table with the file names; found by itself if None.
        dictionary: for "concepts": of `seewhy.discover`, or the .safetensors file that it was saved to; the concepts that the
            network itself states if None. A concept that is taken away is subtracted, code
            times atom; what the dictionary leaves unexplained stays.
        count: regions along each side (7; 4 along each side and along the frames of clips), or about how many superpixels (40).
        repeats: with "resample": how many other pictures take turns (bands 5, else 1).
        samples: with "shapley": random orders for each picture, even; 20 for one picture, 2 for each of many.
        truncation: with "shapley": an order is left once the score is this near to that of nothing, as a share.
        orders: random orders that the ranking is compared with, at least 10.
        group: take units together of which any two move together with more than this correlation over the pictures, such as 0.9.
        interactions: also measure how each two of the first twenty units act together.
        check: check the ranking by removing units in its order; for several pictures.
        budget: the most that may be spent: a time such as "2m", which measuring, checking, grouping and pairing share, or, with "shapley", answers for each picture.
        fit: how pictures are fitted; the model's own way if None.
        cache: for channels and concepts: folder for what their layer gives, shared with `seewhy.discover`, `tcav` and `distill`. Where it is
            there already, no picture is read, and only what follows the layer runs.
        device: where to run; where the network is, if None.
        seed: of everything that is drawn at random; the same seed gives the same table.
        progress: is told what is measured, how many pictures are done, and how many there are.

    Returns:
        The table: for each unit how far the score falls, and the loss rises, without it, with 95 % intervals over pictures, per class and
        pooled; and, for several pictures, whether removing units in this order hurts more than in random ones.

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> print(seewhy.importance(None, "photos/", of="bands"))
        Importance of bands (3 units) for the label of each picture, 60 pictures; ...
    """
    stated = as_model(model)
    stated = stated if fit is None else dataclasses.replace(stated, fit=fit)
    session = Session(stated, device=device, seed=seed, rows=CHANNEL_ROWS if of in ("channels", "concepts") else ROWS)
    pictures = _pictures(data, stated)
    asked = None if target is None else as_target(target)
    wanted = Wanted(replace, layer, masks, count, repeats, by == "contribution", dictionary=dictionary)
    if of == ATTRIBUTES or table is not None or key is not None:
        return attributes_of(session, pictures, _table(of, table, wanted, by), asked, key=key, seed=seed)
    plan = Plan(
        by=by,  # type: ignore[arg-type]  # checked there
        samples=samples,
        truncation=truncation,
        orders=orders,
        group=group,
        pairs=interactions,
        check=check,
        budget=budget,
        seed=seed,
    )
    if masks is not None and of == "foreground":
        masked, matched = with_masks(pictures, masks)
        wanted = dataclasses.replace(wanted, masks=matched, left_out=len(pictures) - len(masked))
        pictures = masked
    units = units_of(of, session, pictures, wanted)
    if cache is None:
        return importance_of(session, pictures, units, asked, plan, progress=progress)
    known = _known(session, pictures, units, cache, progress)
    if isinstance(units, Channels):
        units = KnownChannels(
            at=known.features.layer,
            gradients=units.gradients,
            fill=units.fill,
            repeats=units.repeats,
            features=known.features,
        )
    return importance_of(session, known.features.data, units, asked, plan, known=known, progress=progress)


def _known(session: Session, data: Dataset, units: Units, cache: str | Path, progress: Progress | None) -> Known:
    """Return what the layer of the units gives, from the cache or for it; raise `ConfigError` for units that are of no layer."""
    if not isinstance(units, (Channels, ConceptUnits)):
        raise ConfigError(
            f"the cache holds what a layer gives, for channels and concepts, not for {units.kind}; leave it out"
        )
    told = None if progress is None else lambda done, of: progress("features", done, of)
    return Known.of(session, features(session, data, units.layer, cache=cache, progress=told))


def _table(of: str, table: str | Path | None, wanted: Wanted, by: str) -> Table:
    """Return the table of attributes; raise `ConfigError` for settings that do not go with it."""
    if of != ATTRIBUTES:
        raise ConfigError(f"table and key are settings of {ATTRIBUTES}, not of {of}; leave them out")
    if table is None:
        raise ConfigError(
            "attributes take table=: a CSV file with one column of file names, and others with what is known of the pictures"
        )
    if wanted != Wanted() or by != "ablation":
        raise ConfigError(
            "attributes are columns of a table, which are shuffled; by, replace, layer, masks, count and repeats are for other kinds"
        )
    return read_table(table)


def units_of(of: str, session: Session, data: Dataset, wanted: Wanted) -> Units:
    """Return the units of a kind.

    Raises:
        ConfigError: no such kind, a setting that it does not have, or superpixels of several photos.
    """
    if of not in KINDS:
        near = nearest(of, list(KINDS))
        raise ConfigError(
            f"importance of {of!r} is not known; there is {', '.join((*KINDS, ATTRIBUTES))}"
            + (f" (nearest: {near})" if near else "")
        )
    if of == "concepts" and wanted.replace is not None:
        raise ConfigError("replace is no setting of concepts, which are subtracted; leave it out")
    for name, kinds in _SETTINGS.items():
        if getattr(wanted, name) is not None and of not in kinds:
            raise ConfigError(f"{name} is a setting of {' and '.join(kinds)}, not of {of}; leave it out")
    return KINDS[of](session, data, wanted)


def _regions(session: Session, data: Dataset, wanted: Wanted) -> Units:
    size = tuple(_first(session, data).shape[1:])
    side = wanted.count or (SIDE if len(size) == 2 else DEEP_SIDE)
    deep = ("slices" if session.model.depth else "frames", size[0])
    spans = 0 if len(size) == 2 else min(side, size[0])
    return Regions(rows=side, columns=side, several=len(data) > 1, spans=spans, deep=deep, **wanted.settings("blur"))


def _superpixels(session: Session, data: Dataset, wanted: Wanted) -> Units:
    if len(data) > 1:
        raise ConfigError(
            f"superpixels are those of one photo, and there are {len(data)}; give one, or ask about foreground, or about regions where all "
            "photos show the same thing in the same place"
        )
    count = COUNT if wanted.count is None else wanted.count
    return superpixels(_first(session, data), count, wanted.replace or "blur")


def _foreground(session: Session, data: Dataset, wanted: Wanted) -> Units:
    return Foreground(masks=wanted.masks, left_out=wanted.left_out, **wanted.settings("blur"))


def _bands(session: Session, data: Dataset, wanted: Wanted) -> Units:
    names = band_names(len(_first(session, data)), session.model.channels)
    return Bands(labels=names, **wanted.settings(RESAMPLE if len(data) > 1 else "mean", REPEATS))


def _channels(session: Session, data: Dataset, wanted: Wanted) -> Units:
    fill = "zero" if wanted.gradients else "auto"
    return Channels(at=wanted.layer or AUTO, gradients=wanted.gradients, **wanted.settings(fill))


def _heads(session: Session, data: Dataset, wanted: Wanted) -> Units:
    return Heads(within=(wanted.layer,) if wanted.layer else (), **wanted.settings("auto"))


def _layers(session: Session, data: Dataset, wanted: Wanted) -> Units:
    named = tuple(name.strip() for name in (wanted.layer or "").split(",") if name.strip())
    return Blocks(named=named, how=wanted.replace or "auto")  # type: ignore[arg-type]  # checked there


def _concepts(session: Session, data: Dataset, wanted: Wanted) -> Units:
    given = wanted.dictionary if wanted.dictionary is not None else stated_concepts(session.model)
    if given is None:
        raise ConfigError(
            "concepts are those of a dictionary=: what seewhy.discover found, or a .safetensors file that `seewhy concepts` wrote; "
            "this network states no concepts of its own"
        )
    if wanted.gradients:
        raise ConfigError("by='contribution' is for channels; concepts are weighed by 'ablation' or 'shapley'")
    return ConceptUnits(load_dictionary(given) if isinstance(given, (str, Path)) else given).of(session.model)


def _first(session: Session, data: Dataset) -> Tensor:
    """Return the first input that can be read."""
    return next(data.batches(session.model, 1)).inputs[0]


def _pictures(data: Any, model: Model) -> Dataset:
    """Return a data set; pictures and inputs in memory are one too, without labels."""
    if isinstance(data, (Image.Image, np.ndarray)) or (isinstance(data, Tensor) and data.dim() == 3):
        made = sample(data, model)
        return Dataset((made.name,), (None,), ready=(made,))
    unlabelled = isinstance(data, Tensor) and data.dim() > 3
    return dataset((data, torch.full((len(data),), -1)) if unlabelled else data, model)


KINDS: Mapping[str, Callable[[Session, Dataset, Wanted], Units]] = {
    "regions": _regions,
    "superpixels": _superpixels,
    "foreground": _foreground,
    "bands": _bands,
    "channels": _channels,
    "heads": _heads,
    "layers": _layers,
    "concepts": _concepts,
}
"""How the units of each kind are made."""

_SETTINGS = {
    "layer": ("channels", "heads", "layers"),
    "masks": ("foreground",),
    "count": ("regions", "superpixels"),
    "dictionary": ("concepts",),
}
"""Settings that only some kinds have."""
