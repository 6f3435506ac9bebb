"""Folders of examples, one for each concept, seen at a layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.data.features import Features
from seewhy.data.picture import ENDINGS
from seewhy.errors import DataError

LEAST = 2
"""Pictures that a concept must have."""

Seen = Callable[[object], Features]
"""Turns a source of pictures into what the layer gives for them."""


@dataclass(frozen=True)
class Examples:
    """The concepts that were given.

    Attributes:
        concepts: what the layer gives for the pictures of each, by name.
        left_out: concepts that cannot be used, and why.
        broken: pictures that could not be read, and why.
        notes: what a reader must know.
    """

    concepts: dict[str, Features]
    left_out: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def examples(source: object, seen: Seen) -> Examples:
    """Return the concepts of a folder of folders, or of a mapping from names to pictures.

    A concept that cannot be used is left out with its reason, and the others are done.

    Args:
        source: a folder with a folder of pictures for each concept; one with pictures alone is one concept; or {name: folder, list of files, `Dataset`,
            (inputs, labels) or `Features`}.
        seen: shows pictures to the network.

    Raises:
        DataError: no such folder, or no concept that can be used.
    """
    named, notes = _named(source)
    made = Examples({}, notes=notes)
    for name, pictures in named.items():
        try:
            features = seen(pictures)
        except DataError as error:
            made.left_out[name] = str(error)
            continue
        made.broken.update(features.data.broken)
        reason = _unfit(features)
        if reason:
            made.left_out[name] = reason
        else:
            made.concepts[name] = features
    if not made.concepts:
        name, why = next(iter(made.left_out.items()))
        raise DataError(f"none of the {len(named)} concepts can be used; {name}: {why}")
    return made


def _named(source: object) -> tuple[dict[str, object], tuple[str, ...]]:
    if isinstance(source, Mapping):
        if not source:
            raise DataError("there are no concepts: give {name: pictures}, or a folder with a folder for each")
        return {str(name): pictures for name, pictures in source.items()}, ()
    if not isinstance(source, (str, Path)):
        raise DataError(f"concepts are a folder of folders, or {{name: pictures}}, got {type(source).__name__}")
    folder = Path(source)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; concepts are a folder with a folder of pictures for each")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    loose = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file()]
    if inside:
        stray = f"{len(loose)} pictures beside the folders of the concepts are not used" if loose else ""
        return {path.name: path for path in inside}, (stray,) if stray else ()
    if not loose:
        raise DataError(f"{folder}: no folders in it; concepts are a folder with a folder of pictures for each")
    return {folder.resolve().name: folder}, (f"{folder.name} has no folders in it: its pictures are one concept",)


def _unfit(features: Features) -> str:
    """Return why the pictures of a concept cannot be used; empty if they can."""
    if len(features) < LEAST:
        return f"{len(features)} picture, and a concept takes at least {LEAST}; give more"
    if bool((features.pooled == features.pooled[:1]).all()):
        return f"layer {features.layer!r} gives the same for all of its {len(features)} pictures; give pictures that differ, or take another layer"
    return ""


def settled(rows: Float[Tensor, "n c"], most: int, generator: Generator) -> Int[Tensor, " m"]:
    """Return places of the rows in an order that does not depend on the one in which they come; of more than so many, some drawn at random."""
    marks = [blake2b(row.tobytes(), digest_size=8).digest() for row in rows.contiguous().numpy()]
    order = torch.from_numpy(np.frombuffer(b"".join(marks), np.uint64).argsort(kind="stable"))
    if len(rows) <= most:
        return order
    chosen = torch.randperm(len(rows), generator=generator)[:most].sort().values
    return order[chosen]
