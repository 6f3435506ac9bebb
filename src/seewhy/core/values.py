"""Arrays as plain values: they hash, compare, print in short and go through JSON."""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seewhy.errors import ConfigError

MOST_BYTES = 1 << 28
"""An array that claims to be larger than this is not unpacked."""
_KINDS = ("int32", "float32")


@dataclass(frozen=True, repr=False)
class Array:
    """An array that never changes, as a setting of a method: a segment map, an image to fill with.

    Attributes:
        shape: its axes.
        kind: "int32" or "float32".
        data: the values in C order, compressed.
    """

    shape: tuple[int, ...]
    kind: str
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, values: Any) -> "Array":
        """Take over a tensor, a numpy array or nested lists; whole numbers become int32, others float32."""
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        if array.dtype.kind not in "iufb":
            raise ConfigError(f"an array of numbers is wanted, got {array.dtype}")
        kind = "float32" if array.dtype.kind == "f" else "int32"
        return cls(tuple(array.shape), kind, zlib.compress(np.ascontiguousarray(array, kind).tobytes()))

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Array":
        """Read back what `plain` gave; raise `ConfigError` where it is no such thing."""
        try:
            shape, kind = tuple(int(n) for n in plain["shape"]), str(plain["kind"])
            data = base64.b64decode(plain["data"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"not an array: {error}") from error
        if kind not in _KINDS or min(shape, default=0) < 0 or 4 * int(np.prod(shape)) > MOST_BYTES:
            raise ConfigError(f"not an array: kind {kind!r}, shape {shape}")
        return cls(shape, kind, data)

    def plain(self) -> dict[str, Any]:
        """Return shape, kind and values as text, ready for JSON."""
        return {"shape": list(self.shape), "kind": self.kind, "data": base64.b64encode(self.data).decode()}

    def numpy(self) -> np.ndarray:
        """Return a copy of the values; raise `ConfigError` where they do not fill the shape."""
        size = 4 * int(np.prod(self.shape))
        values = zlib.decompressobj().decompress(self.data, size + 1)
        if len(values) != size:
            raise ConfigError(f"the array of shape {self.shape} is damaged")
        return np.frombuffer(values, self.kind).reshape(self.shape).copy()

    def tensor(self) -> Tensor:
        """Return the values as a new tensor."""
        return torch.from_numpy(self.numpy())

    def __repr__(self) -> str:
        return f"Array({' x '.join(map(str, self.shape))} {self.kind})"


def as_value(given: Any) -> Any:
    """Return a setting as a plain value: lists become tuples, arrays and tensors become `Array`."""
    if isinstance(given, (Tensor, np.ndarray)):
        return Array.of(given)
    if isinstance(given, Mapping) and {"shape", "kind", "data"} <= given.keys():
        return Array.from_plain(given)
    return tuple(map(as_value, given)) if isinstance(given, list) else given


def as_plain(value: Any) -> Any:
    """Return a setting ready for JSON: arrays, also among several values, as `Array.plain` gives them."""
    if isinstance(value, Array):
        return value.plain()
    return tuple(map(as_plain, value)) if isinstance(value, tuple) else value
