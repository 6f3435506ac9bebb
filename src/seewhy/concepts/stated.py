"""Networks that are readable by design: a layer whose numbers are concepts, or similarities to prototypes, says so itself.

A concept-bottleneck model has a layer of concepts, and its answer reads nothing else. A prototype network has a layer that says how similar each place of the
picture is to each prototype. Either is recognized by attributes of the network's module (or, for concepts, by fields of `seewhy.Model`), and is then a dictionary
whose atoms are the layer's own channels: concept maps, students and importance use it like any other.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.data.shelf import Fingerprint, network_digest, preprocessing_of
from seewhy.engine.model import Model
from seewhy.errors import ConfigError, ModelError


@runtime_checkable
class ConceptBottleneck(Protocol):
    """What a concept-bottleneck network's module says of itself; `seewhy.Model(network, concept_layer=, concept_names=)` says the same from outside.

    Attributes:
        concept_layer: name of the layer that puts out one number (or one map) for each concept; all that the answer reads passes through it.
        concept_names: of the concepts, in the order of the channels.
    """

    concept_layer: str
    concept_names: Sequence[str]


@runtime_checkable
class PrototypeNetwork(Protocol):
    """What a prototype network's module says of itself, as in ProtoPNet: similarity to prototypes, place by place, and a class for each.

    A module may also have `prototype_patches`: for each prototype the file of the training patch that it is, or None.

    Attributes:
        prototype_layer: name of the layer that puts out similarities (b, prototypes, h, w), or (b, prototypes): larger is more alike. Where the network computes
            them outside of any module, hand them through an `nn.Identity`.
        prototype_classes: index of the class that each prototype speaks for.
    """

    prototype_layer: str
    prototype_classes: Sequence[int]


class StatedConcepts(Dictionary):
    """The channels of a layer as they are, each a concept: A = u, with nothing left over.

    Source: Koh et al. 2020 (concept-bottleneck models), arXiv 2007.04612.
    Limits: a channel is called what the network's maker called it; whether it is that is another question.
    """

    key: ClassVar = "stated"
    title: ClassVar = "stated by the network"
    signed: ClassVar = True

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "StatedConcepts":
        """Refuse: these concepts are the network's own.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "the concepts that a network states are not fitted: seewhy.concepts.stated.stated_concepts(model) returns them"
        )

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the activations themselves."""
        return rows


class Prototypes(StatedConcepts):
    """Similarities to prototypes, each a concept; `settings` holds "classes" and "patches".

    Source: Chen et al. 2019 (ProtoPNet), arXiv 1806.10574.
    Limits: that a place is similar to a prototype for the network does not mean that it looks so to people.
    """

    key: ClassVar = "prototypes"
    title: ClassVar = "prototypes of the network"
    signed: ClassVar = False


def stated_concepts(model: Model) -> Dictionary | None:
    """Return the concepts, or prototypes, that a network states; None where it states none.

    Args:
        model: whose `concept_layer` and `concept_names` go before what its module says.

    Raises:
        ModelError: what is stated does not fit itself.
    """
    module: Any = model.module
    if model.concept_layer is not None:
        return _bottleneck(model, model.concept_layer, model.concept_names)
    if isinstance(module, ConceptBottleneck) and isinstance(module.concept_layer, str):
        return _bottleneck(model, module.concept_layer, module.concept_names)
    if isinstance(module, PrototypeNetwork) and isinstance(module.prototype_layer, str):
        return _prototypes(model, module)
    return None


def _bottleneck(model: Model, layer: str, names: Sequence[str] | None) -> Dictionary:
    if not names:
        raise ModelError(f"the concepts of layer {layer!r} have no names; state concept_names, one for each channel")
    if len(set(names)) < len(names):
        raise ModelError(f"two concepts of layer {layer!r} have the same name; give each one of its own")
    return _identity(StatedConcepts, model, layer, tuple(map(str, names)), {})


def _prototypes(model: Model, module: PrototypeNetwork) -> Dictionary:
    classes = [int(one) for one in torch.as_tensor(module.prototype_classes).tolist()]
    patches = list(getattr(module, "prototype_patches", None) or [None] * len(classes))
    if not classes or len(patches) != len(classes):
        raise ModelError(
            f"{len(classes)} prototypes with {len(patches)} patches: prototype_classes names a class, and prototype_patches a file or None, for each"
        )
    names = tuple(f"prototype {number} ({_class(model, which)})" for number, which in enumerate(classes))
    about = {"classes": classes, "patches": [None if one is None else str(one) for one in patches]}
    return _identity(Prototypes, model, module.prototype_layer, names, about)


def _class(model: Model, index: int) -> str:
    labels = model.labels
    return labels[index] if labels is not None and 0 <= index < len(labels) else f"class {index}"


def _identity(
    kind: type[StatedConcepts], model: Model, layer: str, names: tuple[str, ...], about: dict[str, Any]
) -> Dictionary:
    count = len(names)
    made_from = Fingerprint("", network_digest(model.module), preprocessing_of(model))
    return kind(
        torch.eye(count), torch.zeros(count), names, layer, made_from, {"kind": kind.key, "count": count, **about}
    )
