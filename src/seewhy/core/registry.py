"""The list of methods, kept by the methods themselves."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, TypeVar

from seewhy.core.method import Method
from seewhy.core.values import as_value
from seewhy.errors import ConfigError, nearest

M = TypeVar("M", bound=type[Method])

_METHODS: dict[str, type[Method]] = {}
_FACTS = ("key", "title", "family", "signed", "resolution", "source", "merit", "caution")


def register(method: M) -> M:
    """Enter a method class in the registry under its key; raise `ConfigError` where a fact is missing or the key is taken."""
    missing = [fact for fact in _FACTS if not hasattr(method, fact)]
    if missing:
        raise ConfigError(f"{method.__name__} lacks {', '.join(missing)}; state them on the class")
    if not is_dataclass(method) or not method.__dataclass_params__.frozen:
        raise ConfigError(f"{method.__name__} must be a frozen dataclass; put @register above @dataclass(frozen=True)")
    taken = _METHODS.get(method.key)
    if taken is not None and taken.__qualname__ != method.__qualname__:
        raise ConfigError(
            f"the key {method.key!r} belongs to {taken.__name__} already; choose another for {method.__name__}"
        )
    _METHODS[method.key] = method
    return method


def registered() -> Mapping[str, type[Method]]:
    """Return every method that has been registered, by key."""
    return MappingProxyType(_METHODS)


def load_plugins() -> dict[str, Exception]:
    """Import what other packages offer under the entry point `seewhy.methods`; return the ones that failed, with why.

    A broken plugin never breaks a start: its error is returned to be shown.
    """
    failed: dict[str, Exception] = {}
    for entry in entry_points(group="seewhy.methods"):
        try:
            entry.load()
        except Exception as error:  # a plugin's import may raise anything
            failed[entry.name] = error
    return failed


def make(key: str, **settings: Any) -> Method:
    """Build a method from its key and settings; an unknown key or setting raises `ConfigError` with the nearest names."""
    if key not in _METHODS:
        near = nearest(key, list(_METHODS))
        raise ConfigError(
            f"no method {key!r}" + (f"; did you mean {near}?" if near else "") + " `seewhy methods` lists them all"
        )
    known = [field.name for field in fields(_METHODS[key])]  # type: ignore[arg-type]
    for name in settings:
        if name not in known:
            raise ConfigError(f"{key} has no setting {name!r}; it has {', '.join(known) or 'none'}")
    return _METHODS[key](**{name: as_value(value) for name, value in settings.items()})
