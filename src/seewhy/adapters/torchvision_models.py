"""Networks of torchvision: `torchvision:resnet50`, with weights from a file or from the local cache, never downloaded."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seewhy.adapters.checkpoint import class_count, fill, read_weights
from seewhy.adapters.environment import fitting
from seewhy.adapters.trial import by_trial
from seewhy.engine.model import Model
from seewhy.errors import ModelError, nearest


def from_torchvision(name: str, checkpoint: str | Path | None = None) -> Model:
    """Return a classifier of torchvision, prepared as the weights' own transform does it.

    Args:
        name: as in `torchvision.models.list_models()`.
        checkpoint: weights; those in torchvision's download cache if None. A file that torchvision itself published is known by
            its hash and brings its labels. Any other may have another number of classes; its preprocessing is then taken
            from torchvision's weights for this network, and a note says so.

    Raises:
        MissingExtra: torchvision is not installed, or does not fit this build of torch.
        ModelError: no such network, no weights, or weights that do not fit. Random weights are never explained.
    """
    models: Any = fitting("torchvision.models")
    known = models.list_models(module=models)
    if name not in known:
        near = nearest(name, known)
        raise ModelError(
            f"torchvision has no classifier {name!r}"
            + (f"; nearest: {near}" if near else "")
            + f"; it has {len(known)}"
        )
    published = list(models.get_model_weights(name))
    default = models.get_model_weights(name).DEFAULT
    path = Path(checkpoint) if checkpoint is not None else _cached(name, published, default)
    weights = read_weights(path)
    own = _same_file(path, published)
    network: nn.Module = models.get_model(name, weights=None)
    count = class_count(weights, network)
    if count is not None:
        network = models.get_model(name, weights=None, num_classes=count)
    fill(network, weights, f"torchvision:{name}")
    title = f"torchvision:{name}"
    preprocessing = by_trial((own or default).transforms(), title)
    note = (
        f"the preprocessing is that of torchvision's {default.name} weights for {name}, as {path.name} does not say its own; "
        "state it in seewhy.Model if the network was trained with another, `seewhy doctor` helps to tell"
    )
    return preprocessing.model(
        network.eval(),
        labels=tuple(own.meta["categories"]) if own else None,
        name=title,
        notes=() if own else (note,),
    )


def _cached(name: str, published: list[Any], default: Any) -> Path:
    """Return the file in torchvision's download cache, the default weights first; raise `ModelError` that says how to get one."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for entry in [default, *published]:
        path = folder / str(entry.url).rpartition("/")[2]
        if path.is_file():
            return path
    raise ModelError(
        f"there are no weights for torchvision:{name}, and seewhy downloads nothing. Give a file (checkpoint=..., on the command line "
        f"--checkpoint), or fetch torchvision's own into {folder}: "
        f'python -c "import torchvision; torchvision.models.get_model({name!r}, weights={default.name!r})"'
    )


def _same_file(path: Path, published: list[Any]) -> Any:
    """Return the published weights that a file holds, known by the hash that is part of their name; None if it is another file."""
    digest = sha256(path.read_bytes()).hexdigest()
    for entry in published:
        mark = entry.url.rpartition("/")[2].rpartition(".")[0].rpartition("-")[2]
        if len(mark) >= 8 and digest.startswith(mark):
            return entry
    return None
