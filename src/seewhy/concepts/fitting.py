"""Fit a dictionary to the features of a data set."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.kinds import kind_of
from seewhy.data.features import Features
from seewhy.errors import ConfigError, DataError

ROWS = 20_000
"""Positions that a dictionary is fitted on; of more, so many are drawn."""
AUTO_KIND = "auto"


def fit_dictionary(features: Features, kind: str = AUTO_KIND, count: int = 16, *, seed: int = 0) -> Dictionary:
    """Return a dictionary of so many concepts, fitted on positions of all pictures.

    Args:
        features: of the pictures.
        kind: "nmf", "pca", "kmeans", or "auto": NMF where no activation is negative, else PCA.
        count: how many concepts.
        seed: of the draw of positions and of the start.

    Raises:
        ConfigError: no such kind, or one that does not fit these activations.
        DataError: fewer pictures than concepts, or activations that never differ.
    """
    if count < 1:
        raise ConfigError(f"a dictionary has at least 1 concept, got {count}")
    if len(features) < count:
        raise DataError(
            f"{len(features)} pictures are fewer than {count} concepts: give more pictures, or ask for at most {len(features)} concepts"
        )
    if count > features.channels:
        raise ConfigError(f"layer {features.layer!r} has {features.channels} channels, too few for {count} concepts")
    rows = drawn(features.rows, ROWS, seed)
    if not bool((rows != rows[:1]).any()):
        raise DataError(
            f"layer {features.layer!r} gives the same at every position of every picture; there is nothing to take apart"
        )
    made = kind_of(_settled(kind, rows)).fit(rows, count, seed)
    return replace(
        made,
        names=tuple(f"concept {number}" for number in range(len(made))),
        layer=features.layer,
        fingerprint=features.fingerprint,
        settings={"kind": made.key, "count": count, "seed": seed},
    )


def drawn(rows: Float[Tensor, "m c"], most: int, seed: int) -> Float[Tensor, "l c"]:
    """Return the rows, or so many of them, drawn at random, in their order."""
    if len(rows) <= most:
        return rows
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:most]
    return rows[chosen.sort().values]


def _settled(kind: str, rows: Tensor) -> str:
    if kind != AUTO_KIND:
        return kind
    return "pca" if bool((rows < 0).any()) else "nmf"
