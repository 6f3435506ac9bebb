"""What was computed once, on disk: what it was about is its name, so that it is never taken for something else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from seewhy import render
from seewhy.data.dataset import Dataset, content_digest, content_of
from seewhy.engine.model import Model
from seewhy.errors import DataError
from seewhy.version import __version__

FORMAT = 1
LARGEST = 1 << 33
"""A file that is larger is none of ours."""


class Shelf:
    """A place in a folder of results, one file each, named by a hash of everything that a result depends on.

    Args:
        folder: where; it is made.
        kind: of result, for people who look into the folder.
        key: what the result depends on, as plain values.
    """

    def __init__(self, folder: Path, kind: str, key: Mapping[str, Any]) -> None:
        self.key = json.dumps(key, sort_keys=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: cannot be made a folder for the cache ({error.strerror})") from error
        self.path = folder / f"{kind}-{blake2b(self.key.encode(), digest_size=12).hexdigest()}.safetensors"

    def get(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return what was put away; None where there is nothing.

        Raises:
            DataError: the file is no such result, or is damaged.
        """
        if not self.path.exists():
            return None
        try:
            if self.path.stat().st_size > LARGEST:
                raise ValueError("it is too large")
            with safe_open(str(self.path), framework="pt") as file:
                about = file.metadata() or {}
                if about.get("key") != self.key:
                    raise ValueError("it is about something else")
                return {name: file.get_tensor(name) for name in file.keys()}, json.loads(about["facts"])  # noqa: SIM118
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise DataError(f"{self.path}: not a result that can be taken up ({error}); delete it") from error

    def put(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Put a result away; whoever reads sees the one before or this one, never half of it."""
        kept = {name: tensor.contiguous() for name, tensor in tensors.items()}
        data = save(kept, metadata={"key": self.key, "facts": json.dumps(facts)})
        render.write_bytes(self.path, data, force=True)


def key_of(made_from: "Fingerprint", layers: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that a result depends on: contents, weights, preprocessing, layers, settings, versions."""
    return {
        "format": FORMAT,
        "seewhy": __version__,
        "torch": str(torch.__version__),
        **asdict(made_from),
        "layers": list(layers),
        "settings": dict(settings),
    }


@dataclass(frozen=True)
class Fingerprint:
    """What something was made from, so that it is not taken for something made from anything else.

    Attributes:
        data: hash of the contents of all pictures, in their order.
        network: hash of structure and weights.
        preprocessing: how pictures become inputs.
    """

    data: str
    network: str
    preprocessing: Mapping[str, Any]

    @classmethod
    def of(cls, data: Dataset, model: Model) -> "Fingerprint":
        """Return the fingerprint of some pictures seen by a model."""
        return cls(data_digest(data), network_digest(model.module), preprocessing_of(model))


def preprocessing_of(model: Model) -> dict[str, Any]:
    """Return how a model prepares pictures, as plain values."""
    stated = {
        name: getattr(model, name)
        for name in ("size", "mean", "std", "layout", "channels", "fit", "crop", "crop_first", "interpolation")
    }
    plain: dict[str, Any] = json.loads(json.dumps(stated, default=list))
    return plain


def data_digest(data: Dataset) -> str:
    """Return a hash of the contents of all pictures in their order; a file that cannot be read counts as such."""
    total = blake2b(digest_size=16)
    for digest in _digests(data):
        total.update(digest)
    return total.hexdigest()


def _digests(data: Dataset) -> Iterator[bytes]:
    if data.ready is not None:
        for sample in data.ready:
            yield content_digest(sample.inputs.detach().cpu().contiguous().numpy().tobytes())
        return

    def digest(path: Path) -> bytes:
        try:
            return content_digest(content_of(path))
        except DataError:
            return bytes(16)

    paths = data.paths or ()
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(paths), 256):
            yield from pool.map(digest, paths[start : start + 256])


def network_digest(module: nn.Module) -> str:
    """Return a hash of a network's structure, as it prints, and of all its weights and buffers."""
    total = blake2b(repr(module).encode(), digest_size=16)
    for name, value in module.state_dict(keep_vars=False).items():
        tensor = value.detach().cpu().contiguous() if isinstance(value, Tensor) else torch.tensor(())
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)  # not copied
    return total.hexdigest()
