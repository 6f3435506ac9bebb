"""Which networks of transformers are known beside image classifiers: how each is loaded, and how its answer is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from seewhy.adapters.image_text import image_text_network
from seewhy.adapters.instance_masks import InstanceMasks
from seewhy.adapters.video_network import video_network


@dataclass(frozen=True)
class Task:
    """A kind of network, known by how the name of its class ends.

    Attributes:
        loader: the class of transformers that loads it.
        what: it, in words, for messages.
        fields: what a `Model` of it states beside preprocessing and labels.
        named: whether the network's config holds names of classes.
        rebuilt: makes of the loaded network and its place the network that is explained, and further fields of the model.
    """

    loader: str
    what: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    named: bool = True
    rebuilt: Callable[[Any, str], tuple[nn.Module, Mapping[str, Any]]] | None = None


CLASSIFIER = Task("AutoModelForImageClassification", "image classifier")
"""Taken where nothing else is known."""

VIDEO_CLASSIFIER = Task("AutoModelForVideoClassification", "video classifier", rebuilt=video_network)

TASKS: Mapping[str, Task] = {
    "ForVideoClassification": VIDEO_CLASSIFIER,
    "ForSemanticSegmentation": Task("AutoModelForSemanticSegmentation", "segmenter"),
    "ForUniversalSegmentation": Task(
        "AutoModelForUniversalSegmentation",
        "segmenter of instances",
        {"output": InstanceMasks(), "probability": "none"},
    ),
    "ForInstanceSegmentation": Task(
        "AutoModelForUniversalSegmentation",
        "segmenter of instances",
        {"output": InstanceMasks(), "probability": "none"},
    ),
    "ForDepthEstimation": Task(
        "AutoModelForDepthEstimation",
        "depth network",
        {"output": "predicted_depth", "probability": "none"},
        named=False,
    ),
    "CLIPModel": Task("CLIPModel", "image-text network", named=False, rebuilt=image_text_network),
}
"""By the end of the class's name in config.json."""


def task_of(architectures: Any) -> Task:
    """Return the kind of a network from the names of its classes in its config; a classifier where none is known."""
    for name in architectures or ():
        for ending, task in TASKS.items():
            if str(name).endswith(ending):
                return task
    return CLASSIFIER
