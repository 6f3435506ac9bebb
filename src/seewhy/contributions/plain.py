"""Frozen records of numbers as plain values for JSON, and back."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from seewhy.core.values import Array
from seewhy.errors import ConfigError, DataError

R = TypeVar("R")


def plain(value: Any) -> Any:
    """Return a record as plain values; a number that is not finite becomes None, which JSON can hold."""
    if isinstance(value, Array):
        return value.plain()
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def record(kind: type[R], given: Any) -> R:
    """Return the record of a kind that `plain` made plain values of; a number that is None becomes NaN. Names that the kind lacks are left out.

    Raises:
        DataError: something is missing, or of another kind.
    """
    if not isinstance(given, Mapping):
        raise DataError(f"{kind.__name__} is an object with names, got {type(given).__name__}")
    hints = get_type_hints(kind)
    try:
        return kind(**{one.name: _read(hints[one.name], given[one.name]) for one in fields(kind) if one.name in given})  # type: ignore[arg-type]
    except (TypeError, ValueError, KeyError, ConfigError) as error:
        raise DataError(f"not {kind.__name__}: {error}") from error


def _read(hint: Any, given: Any) -> Any:
    """Return a value of the type that a hint names."""
    if hint is Array:
        return Array.from_plain(given)
    if is_dataclass(hint):
        return record(hint, given)  # type: ignore[arg-type]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return None if given is None else _read(next(one for one in inner if one is not NoneType), given)
    if origin is tuple:
        return tuple(_read(inner[0], one) for one in _expected(list, given))
    if origin is not None:
        return {str(name): _read(inner[1], one) for name, one in _expected(dict, given).items()}
    return _scalar(hint, given)


def _scalar(hint: Any, given: Any) -> Any:
    if hint is float:
        return math.nan if given is None else float(_expected((int, float), given))
    return given if hint is Any else _expected(hint, given)


def _expected(kind: Any, given: Any) -> Any:
    if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
        raise DataError(f"expected {kind}, got {given!r:.80}")
    return given
