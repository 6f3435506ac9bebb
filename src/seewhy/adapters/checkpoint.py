"""Read weights from a file without running any code in it, and put them into a network, all of them or none."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seewhy.errors import ModelError

ENDINGS = (".safetensors", ".pt", ".pth", ".th", ".bin", ".ckpt")
CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Keys under which training scripts put the weights."""

WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that data-parallel and compiled networks put before every name."""

RESAVE = "safetensors.torch.save_file(network.state_dict(), 'weights.safetensors')"
COUNTER = ".num_batches_tracked"
SHOWN = 4


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name; nothing in the file is run.

    Args:
        path: `.safetensors`, or what `torch.save` wrote: a state dict, or a dictionary that holds one.

    Raises:
        ModelError: no such file, not a checkpoint, or a pickle that holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; a checkpoint was wanted")
    if path.suffix.lower() not in ENDINGS:
        raise ModelError(f"{path}: a checkpoint ends in {', '.join(ENDINGS)}")
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty; a checkpoint was wanted")
    content = _safetensors(path) if path.suffix.lower() == ".safetensors" else _pickled(path)
    return _unwrapped(_found(content, path))


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is not a whole safetensors file: {error}") from error
    return weights


def _pickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the protocol of a pickle, and about archives that are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error).lower():
            raise ModelError(f"{path} is broken or not a checkpoint: {_first_line(error)}") from error
        raise ModelError(
            f"{path} holds more than tensors, so it was not opened, as a pickle can run any code; "
            f"where you trust it, load it yourself and save it again with {RESAVE}"
        ) from None
    except PermissionError:
        raise ModelError(f"{path}: no permission to read it") from None
    except Exception as error:  # zip, pickle and TorchScript archives each fail in their own way
        if "TorchScript" in str(error):
            raise ModelError(
                f"{path} is a TorchScript archive, which has no modules to look into; save the network's weights instead: {RESAVE}"
            ) from None
        raise ModelError(f"{path} is broken or not a checkpoint: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _found(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the state dict in what a checkpoint holds."""
    for _ in range(2):
        if not isinstance(content, Mapping):
            break
        tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
        inside = [key for key in CONTAINERS if isinstance(content.get(key), Mapping)]
        if inside and not tensors:
            content = content[inside[0]]
            continue
        if tensors:
            return {str(name): value for name, value in tensors.items()}
        break
    held = (
        f"the keys {', '.join(map(repr, list(content)[:6]))}"
        if isinstance(content, Mapping)
        else type(content).__name__
    )
    raise ModelError(
        f"{path} holds {held or 'nothing'} and no weights by name; save them with {RESAVE} or torch.save(network.state_dict(), path)"
    )


def _unwrapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off the prefixes that wrapping modules put before every name."""
    while any(all(name.startswith(prefix) for name in weights) for prefix in WRAPPERS):
        weights = {name.partition(".")[2]: value for name, value in weights.items()}
    return weights


def fill(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Put weights into a network; names and shapes must agree exactly.

    Counters of training steps in batch norms, which older files lack, are not needed. One prefix that all names of the file share, such as "model.", is taken off where the network has the names without it.

    Raises:
        ModelError: tensors are missing, left over or of another shape; the first of each are listed.
    """
    wanted = network.state_dict()
    weights = _without_prefix(weights, wanted)
    weights = {key: value for key, value in wanted.items() if key.endswith(COUNTER)} | dict(weights)
    missing = [key for key in wanted if key not in weights]
    unexpected = [key for key in weights if key not in wanted]
    other = [
        f"{key} is {tuple(weights[key].shape)} in the file, {tuple(wanted[key].shape)} in the network"
        for key in wanted
        if key in weights and isinstance(wanted[key], Tensor) and weights[key].shape != wanted[key].shape
    ]
    if missing or unexpected or other:
        said = [f"{len(keys)} {what}: {_few(keys, mark)}" for keys, what, mark in (
            (missing, "missing in the file", ", "),
            (unexpected, "not in the network", ", "),
            (other, "of another shape", "; "),
        ) if keys]  # fmt: skip
        raise ModelError(f"the weights do not fit {name} ({len(wanted)} tensors). {'. '.join(said)}")
    network.load_state_dict(weights)


def class_count(weights: Mapping[str, Tensor], network: nn.Module) -> int | None:
    """Return how many classes weights are for, where that is all in which they differ from the network; None otherwise.

    That shows as tensors whose first axis, and nothing else, has another length, the same for all of them.
    """
    wanted = network.state_dict()
    weights = _without_prefix(weights, wanted)
    keys = [key for key in wanted if not key.endswith(COUNTER)]
    pairs = [(weights[key].shape, wanted[key].shape) for key in keys if key in weights]
    differing = [(found, other) for found, other in pairs if found != other]
    counts = {found[0] for found, _ in differing if len(found)}
    same_rest = all(found[1:] == other[1:] for found, other in differing)
    return counts.pop() if len(counts) == 1 and same_rest and len(pairs) == len(keys) else None


def _without_prefix(weights: Mapping[str, Tensor], wanted: Mapping[str, Any]) -> Mapping[str, Tensor]:
    first = next(iter(weights)).partition(".")[0] + "."
    if any(key in wanted for key in weights) or not all(key.startswith(first) for key in weights):
        return weights
    bare = {key.removeprefix(first): value for key, value in weights.items()}
    return bare if any(key in wanted for key in bare) else weights


def _few(keys: list[str], mark: str) -> str:
    return mark.join(keys[:SHOWN]) + (" …" if len(keys) > SHOWN else "")
