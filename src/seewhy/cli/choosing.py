"""Which method, with which settings, is meant by the options of a command."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from seewhy.api import method, methods
from seewhy.core.budget import Allowance
from seewhy.core.method import Method
from seewhy.core.values import Array
from seewhy.data.picture import sample
from seewhy.data.segment_map import read_segments
from seewhy.engine.model import Model
from seewhy.engine.stand_ins import StandIn
from seewhy.errors import ConfigError


@dataclass(frozen=True)
class MethodOrder:
    """What was said about the method.

    Attributes:
        settings: NAME=VALUE each.
        layer: of the network; several with commas between.
        budget: "500" forwards, or "30s".
        segments: "slic", "grid", or a file with a map of integers.
        fill: a kind of filling, or a picture.
    """

    settings: tuple[str, ...] = ()
    layer: str | None = None
    budget: str | None = None
    segments: str | None = None
    fill: str | None = None

    def words(self) -> list[str]:
        """Return the options that say the same again."""
        named = {"layer": self.layer, "budget": self.budget, "segments": self.segments, "fill": self.fill}
        said = [word for name, value in named.items() if value is not None for word in (f"--{name}", value)]
        return said + [word for setting in self.settings for word in ("--set", setting)]


def chosen_method(key: str, order: MethodOrder, model: Model, *, lenient: bool = False) -> Method:
    """Return the method with its settings.

    Args:
        key: of the method.
        order: what was said about it.
        model: a picture to fill with is prepared as its input.
        lenient: options that the method does not have are passed over, as where one option is meant for several methods.
    """
    values = _settings(order.settings)
    if order.layer is not None:
        values["layer"] = tuple(order.layer.split(",")) if "," in order.layer else order.layer
    if order.budget is not None:
        values["budget"] = int(order.budget) if order.budget.isdigit() else order.budget
        Allowance.of(values["budget"])
    if order.segments is not None:
        values["segments"] = order.segments if order.segments in ("slic", "grid") else read_segments(order.segments)
    if order.fill is not None:
        values["fill"] = order.fill if order.fill in get_args(StandIn) else _picture(order.fill, model)
    if lenient and key in methods():
        known = {field.name for field in fields(methods()[key])}  # type: ignore[arg-type]
        values = {name: value for name, value in values.items() if name in known}
    return method(key, **values)


def _settings(settings: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in settings:
        name, sign, value = setting.partition("=")
        if not sign:
            raise ConfigError(f"--set wants NAME=VALUE, such as steps=64; got {setting!r}")
        values[name.strip().replace("-", "_")] = _value(value.strip())
    return values


def _value(text: str) -> Any:
    """Read a number, a list or a word."""
    if "," in text and not text.startswith("["):
        return tuple(_value(part.strip()) for part in text.split(","))
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _picture(path: str, model: Model) -> Array:
    """Return a picture as the network takes it."""
    if not Path(path).exists():
        raise ConfigError(f"--fill is one of {', '.join(get_args(StandIn))}, or a picture; there is no file {path!r}")
    return Array.of(sample(path, model).inputs)


def input_shape(model: Model) -> tuple[int, ...]:
    """Return the shape (c, *spatial) of a model's input; raise `ModelError` where it is not stated."""
    size, mean, _ = model.needs_preprocessing()
    first = model.frames or model.depth
    grey = model.for_volumes or model.channels == "grey"
    return (1 if grey else max(3, len(mean)), *(() if first is None else (first,)), *size)
