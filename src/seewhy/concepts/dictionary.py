"""A dictionary of concepts: activations as sums of a few directions."""

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from seewhy import render
from seewhy.core.values import Array
from seewhy.data.features import Features
from seewhy.data.shelf import Fingerprint
from seewhy.errors import DataError, ModelError

FORMAT = 1
ROWS = 16_384
"""Activations that are encoded at once."""

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
    overcomplete: ClassVar[bool] = False
    """Whether there may be more concepts than channels."""

    @classmethod
    @abstractmethod
    def fit(cls: type[D], rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> D:
        """Return a dictionary of so many concepts for these activations; `seewhy.concepts.fitting` checks and samples them before."""

    @abstractmethod
    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the codes of a block of activations, of each as if it were alone; users call `encode`."""

    def encode(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the codes of activations, block by block.

        Raises:
            DataError: activations of another number of channels.
        """
        if rows.shape[1:] != self.atoms.shape[1:]:
            raise DataError(
                f"the dictionary is for activations of {self.atoms.shape[1]} channels, these have {', '.join(map(str, rows.shape[1:]))}; "
                "take those of its own layer" + (f", {self.layer!r}" if self.layer else "")
            )
        return torch.cat([self.coded(block) for block in torch.split(rows, ROWS)])

    def decode(self, codes: Float[Tensor, "m k"]) -> Float[Tensor, "m c"]:
        """Return the activations that codes stand for."""
        return codes @ self.atoms + self.offset

    def codes(self, features: Features) -> Float[Tensor, "n k *spatial"]:
        """Return how strong each concept is at each position of each picture.

        Raises:
            ModelError: the features are those of another layer, network or preprocessing than the dictionary was fitted on.
        """
        self.check(features)
        flat = self.encode(features.rows)
        if not features.cells:
            return flat
        return flat.view(len(features), -1, len(self)).transpose(1, 2).reshape(len(features), -1, *features.cells)

    def check(self, features: Features) -> None:
        """Raise `ModelError` where features are not those of the layer and network that this dictionary was fitted on."""
        if self.layer and features.layer != self.layer:
            raise ModelError(
                f"the dictionary takes layer {self.layer!r} apart, and these are features of {features.layer!r}; compute those of {self.layer!r}"
            )
        if self.fingerprint is None:
            return
        if features.fingerprint.network != self.fingerprint.network:
            raise ModelError(
                "the dictionary was fitted on another network: its weights, or its structure, are not those of this one; fit one anew"
            )
        if features.fingerprint.preprocessing != self.fingerprint.preprocessing:
            raise ModelError(
                "the dictionary was fitted on the same network with other preprocessing; state it as it was then"
            )

    def __len__(self) -> int:
        return len(self.atoms)

    @classmethod
    def shapes(cls, count: int, channels: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array by its name; a kind with more arrays, which are fields of their own, adds them."""
        return {"atoms": (count, channels), "offset": (channels,)}

    def tensors(self) -> dict[str, Tensor]:
        """Return all arrays by name."""
        return {name: getattr(self, name) for name in self.shapes(*self.atoms.shape)}

    def about(self) -> dict[str, Any]:
        """Return everything beside the arrays, as plain values."""
        return {
            "format": FORMAT,
            "kind": self.key,
            "names": list(self.names),
            "layer": self.layer,
            "fingerprint": self.fingerprint and dataclasses.asdict(self.fingerprint),
            "settings": dict(self.settings),
        }

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, ready for JSON; `seewhy.concepts.loading.dictionary_from` reads them back."""
        return {**self.about(), "arrays": {name: Array.of(value).plain() for name, value in self.tensors().items()}}

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
        kept = {name: value.contiguous() for name, value in self.tensors().items()}
        return render.write_bytes(path, save(kept, metadata={"seewhy": json.dumps(self.about())}), force=force)
