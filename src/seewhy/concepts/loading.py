"""Read a dictionary from its file."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from seewhy.concepts.dictionary import FORMAT, Dictionary
from seewhy.concepts.kinds import kinds
from seewhy.data.shelf import Fingerprint
from seewhy.errors import DataError

LARGEST = 1 << 30
"""A file that is larger is none of ours."""


def load_dictionary(path: str | Path) -> Dictionary:
    """Read what `Dictionary.save` wrote; nothing in the file is executed.

    Raises:
        DataError: no such file, or none of ours.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {})["seewhy"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about["format"] != FORMAT:
            raise ValueError(f"written in format {about['format']}, this version reads {FORMAT}")
        atoms, offset = tensors["atoms"], tensors["offset"]
        if atoms.dim() != 2 or offset.shape != atoms.shape[1:] or len(about["names"]) != len(atoms):
            raise ValueError("its arrays do not fit each other")
        fingerprint = about["fingerprint"] and Fingerprint(**about["fingerprint"])
        return kinds()[about["kind"]](
            **tensors,
            names=tuple(map(str, about["names"])),
            layer=str(about["layer"]),
            fingerprint=fingerprint,
            settings=about["settings"],
        )
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no dictionary saved by seewhy ({error})") from error
