"""Networks of timm: `timm:resnet18.a1_in1k`, with weights from a file or from the local cache, never downloaded."""

from pathlib import Path
from typing import Any

from torch import nn

from seewhy.adapters.checkpoint import class_count, fill, read_weights
from seewhy.adapters.efficientnet_lite import labels as imagenet_labels
from seewhy.adapters.environment import fitting
from seewhy.adapters.trial import by_trial
from seewhy.engine.model import Model
from seewhy.errors import MissingExtra, ModelError, nearest, optional

FILES = ("model.safetensors", "pytorch_model.bin")


def from_timm(name: str, checkpoint: str | Path | None = None) -> Model:
    """Return a classifier of timm, prepared as its own configuration says.

    Args:
        name: as in `timm.list_models()`, with or without the tag of the weights.
        checkpoint: weights; those in the local cache of the Hugging Face hub if None. A file may have another number of classes;
            its preprocessing is then taken from timm's configuration for this network, and a note says so.

    Raises:
        MissingExtra: timm is not installed, or does not import beside this build of torch.
        ModelError: no such network, no weights, or weights that do not fit. Random weights are never explained.
    """
    timm: Any = fitting("timm")
    if not timm.is_model(name):
        near = nearest(name, timm.list_models())
        raise ModelError(f"timm has no network {name!r}" + (f"; nearest: {near}" if near else ""))
    title = f"timm:{name}"
    path = Path(checkpoint) if checkpoint is not None else _cached(timm, name)
    weights = read_weights(path)
    network: nn.Module = timm.create_model(name, pretrained=False)
    count = class_count(weights, network)
    if count is not None:
        network = timm.create_model(name, pretrained=False, num_classes=count)
    fill(network, weights, title)
    settings = timm.data.resolve_data_config(network.pretrained_cfg, model=network)
    note = (
        f"the preprocessing is that of timm's configuration for {name}, as {path.name} does not say its own; "
        "state it in seewhy.Model if the network was trained with another, `seewhy doctor` helps to tell"
    )
    return by_trial(timm.data.create_transform(**settings), title).model(
        network.eval(),
        labels=_labels(timm, network) if checkpoint is None else None,
        name=title,
        notes=() if checkpoint is None else (note,),
    )


def _cached(timm: Any, name: str) -> Path:
    """Return the weights in the local cache; raise `ModelError` that says how to get them."""
    settings = timm.get_pretrained_cfg(name)
    repository = getattr(settings, "hf_hub_id", None)
    try:
        hub: Any = optional("huggingface_hub", "hub")
        found = [hub.try_to_load_from_cache(repository, file) for file in FILES] if repository else []
    except MissingExtra:
        found = []
    for path in found:
        if isinstance(path, str):
            return Path(path)
    fetch = f", or fetch timm's own: hf download {repository}" if repository else ""
    raise ModelError(
        f"there are no weights for timm:{name}, and seewhy downloads nothing. Give a file (checkpoint=..., on the command line "
        f"--checkpoint){fetch}"
    )


def _labels(timm: Any, network: Any) -> tuple[str, ...] | None:
    """Return the names of the classes of timm's own weights, where timm knows them."""
    if network.num_classes == len(imagenet_labels()):
        return imagenet_labels()
    subset = timm.data.infer_imagenet_subset(network)
    if not subset:
        return None
    info = timm.data.ImageNetInfo(subset)
    return tuple(info.index_to_description(index).partition(",")[0] for index in range(network.num_classes))
