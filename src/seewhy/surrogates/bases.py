"""Every kind of basis, by its key."""

from collections.abc import Mapping
from typing import Any

from seewhy.errors import ConfigError
from seewhy.surrogates.attribute_columns import AttributeColumns, OthersAttributes
from seewhy.surrogates.basis import Basis, ConceptScores, PooledChannels, RandomDirections
from seewhy.surrogates.superpixel_words import SuperpixelWords

KINDS: tuple[type[Basis], ...] = (
    ConceptScores,
    PooledChannels,
    RandomDirections,
    SuperpixelWords,
    AttributeColumns,
    OthersAttributes,
)


def bases() -> dict[str, type[Basis]]:
    """Return every kind of basis by its key."""
    return {kind.kind: kind for kind in KINDS}


def basis_plain(basis: Basis) -> dict[str, Any]:
    """Return a basis as plain values, with its kind."""
    return {"kind": basis.kind, **basis.plain()}


def basis_from(plain: Mapping[str, Any]) -> Basis:
    """Read back what `basis_plain` gave; raise `ValueError`, `KeyError` or `TypeError` where it is no such thing."""
    kind = bases().get(str(plain["kind"]))
    if kind is None:
        raise ValueError(f"it reads {plain['kind']!r}, this version knows {', '.join(bases())}")
    try:
        return kind.from_plain(plain)
    except ConfigError as error:
        raise ValueError(str(error)) from error
