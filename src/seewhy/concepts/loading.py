"""Read a dictionary from its file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from seewhy.concepts.dictionary import FORMAT, Dictionary
from seewhy.concepts.kinds import every_kind
from seewhy.core.values import Array
from seewhy.data.shelf import Fingerprint
from seewhy.errors import ConfigError, DataError

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
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {})["seewhy"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _rebuilt(about, tensors)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except KeyError as error:
        raise DataError(f"{path}: no dictionary saved by seewhy (there is no {error} in it)") from error
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: no dictionary saved by seewhy ({error})") from error


def dictionary_from(plain: Mapping[str, Any]) -> Dictionary:
    """Read back what `Dictionary.plain` gave; raise `ValueError`, `KeyError` or `TypeError` where it is no such thing."""
    try:
        tensors = {str(name): Array.from_plain(array).tensor() for name, array in plain["arrays"].items()}
    except (ConfigError, AttributeError) as error:
        raise ValueError(str(error)) from error
    return _rebuilt(plain, tensors)


def _rebuilt(about: Mapping[str, Any], tensors: dict[str, Tensor]) -> Dictionary:
    if not isinstance(about, dict) or about["format"] != FORMAT:
        raise ValueError(f"it is not written in format {FORMAT}, which this version reads")
    kind = every_kind().get(str(about["kind"]))
    if kind is None:
        raise ValueError(f"it is of kind {about['kind']!r}, this version knows {', '.join(every_kind())}")
    _check_arrays(kind, tensors)
    names = about["names"]
    if not isinstance(names, list) or len(names) != len(tensors["atoms"]) or not all(map(_is_name, names)):
        raise ValueError(f"it does not name each of its {len(tensors['atoms'])} concepts")
    if not isinstance(about["settings"], dict):
        raise ValueError("its settings are not names and values")
    return kind(
        **tensors,
        names=tuple(names),
        layer=str(about["layer"]),
        fingerprint=about["fingerprint"] and _fingerprint(about["fingerprint"]),
        settings=about["settings"],
    )


def _check_arrays(kind: type[Dictionary], tensors: Mapping[str, Tensor]) -> None:
    atoms = tensors["atoms"]
    if atoms.dim() != 2 or not atoms.numel():
        raise ValueError(f"its atoms are of shape {tuple(atoms.shape)}, wanted is (concepts, channels)")
    wanted = kind.shapes(*atoms.shape)
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != wanted:
        raise ValueError(f"its arrays do not fit each other: {found}, wanted is {wanted}")
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds what is no finite number")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isprintable()


def _fingerprint(given: Mapping[str, Any]) -> Fingerprint:
    data, network, preprocessing = given["data"], given["network"], given["preprocessing"]
    if not isinstance(data, str) or not isinstance(network, str) or not isinstance(preprocessing, dict):
        raise ValueError("its fingerprint is none")
    return Fingerprint(data, network, preprocessing)
