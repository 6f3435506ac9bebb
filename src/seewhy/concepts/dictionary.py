"""A dictionary of concepts: activations as sums of a few directions."""

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from seewhy import render
from seewhy.data.features import Features
from seewhy.data.shelf import Fingerprint
from seewhy.errors import DataError

FORMAT = 1

D = TypeVar("D", bound="Dictionary")


@dataclass(frozen=True, eq=False)
class Dictionary(ABC):
    """Activations as codes times atoms plus an offset: a = u D + o + rest. Born fitted, by `fit`.

    Attributes:
        atoms: D, a direction for each concept (k, c).
        offset: o, what stands without any concept (c,).
        names: of the concepts.
        layer: whose activations they are.
        fingerprint: what it was fitted on.
        settings: how.
    """

    atoms: Float[Tensor, "k c"]
    offset: Float[Tensor, " c"]
    names: tuple[str, ...] = ()
    layer: str = ""
    fingerprint: Fingerprint | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    key: ClassVar[str]
    title: ClassVar[str]
    signed: ClassVar[bool] = False
    """Whether codes may be negative: a concept then has a contrary."""

    @classmethod
    @abstractmethod
    def fit(cls: type[D], rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> D:
        """Return a dictionary of so many concepts for these activations; `seewhy.concepts.fitting` checks and samples them before."""

    @abstractmethod
    def encode(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the codes of activations."""

    def decode(self, codes: Float[Tensor, "m k"]) -> Float[Tensor, "m c"]:
        """Return the activations that codes stand for."""
        return codes @ self.atoms + self.offset

    def codes(self, features: Features) -> Float[Tensor, "n k *spatial"]:
        """Return how strong each concept is at each position of each picture."""
        flat = self.encode(features.rows)
        if not features.cells:
            return flat
        return flat.view(len(features), -1, len(self)).transpose(1, 2).reshape(len(features), -1, *features.cells)

    def __len__(self) -> int:
        return len(self.atoms)

    def tensors(self) -> dict[str, Tensor]:
        """Return all arrays by name; a kind with more of them adds its own."""
        return {"atoms": self.atoms, "offset": self.offset}

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the dictionary as safetensors, with names and fingerprints.

        Raises:
            DataError: another ending, a file that exists (unless `force`), a place that cannot be written.
        """
        path = Path(path)
        if path.suffix != ".safetensors":
            raise DataError(
                f"{path.name}: a dictionary is written as .safetensors, not {path.suffix or 'without ending'}"
            )
        about = {
            "format": FORMAT,
            "kind": self.key,
            "names": list(self.names),
            "layer": self.layer,
            "fingerprint": self.fingerprint and dataclasses.asdict(self.fingerprint),
            "settings": dict(self.settings),
        }
        kept = {name: value.contiguous() for name, value in self.tensors().items()}
        return render.write_bytes(path, save(kept, metadata={"seewhy": json.dumps(about)}), force=force)
