"""Targets of embedders: how near a picture's embedding lies to others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seewhy.core.needs import Needs
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.core.values import Array
from seewhy.errors import TargetError
from seewhy.targets.features import as_array
from seewhy.targets.fitting import fitting, shape_words
from seewhy.targets.inside import columns_of

Measure = Literal["cosine", "dot", "distance"]


class EmbeddingTarget(Target):
    """A target that reads an embedding: the network's answer (b, d), or the mean over places of what a layer gives."""

    layer: str | None

    def needs(self) -> Needs:
        """Return the layer, if one is read."""
        return Needs() if self.layer is None else Needs(activations=frozenset({self.layer}))

    def reads_answer(self) -> bool:
        """Say whether the answer is the embedding."""
        return self.layer is None

    def embedding(self, reading: Reading) -> Float[Tensor, "b d"]:
        """Return the embedding of each image; raise `TargetError` where there is none."""
        return embedding_of(reading, self.layer)

    def fixed(self, vector: Array, reading: Reading) -> Float[Tensor, "#b d"]:
        """Return a vector that was given, as long as the embedding; raise `TargetError` where it is not."""
        known = self.embedding(reading)
        if vector.shape[-1] != known.shape[1] or (len(vector.shape) == 2 and vector.shape[0] not in (1, len(known))):
            raise TargetError(
                f"the embeddings of these {len(known)} images have {known.shape[1]} numbers, and the one to compare with has shape {shape_words(vector.shape)}; "
                "give one vector, or one for each image"
            )
        return vector.tensor().reshape(-1, vector.shape[-1]).to(known)


@dataclass(frozen=True)
class Similarity(EmbeddingTarget):
    """How near the embedding of a picture lies to a given one: the cosine, the dot product, or minus the Euclidean distance.

    Args:
        reference: the embedding to compare with (d,), or one for each image (b, d). It is fixed: no evidence flows into it.
        measure: "cosine", "dot" or "distance" (its negative, so that more is nearer).
        threshold: of a verification: is subtracted, so that a score above 0 means "the same".
        layer: the mean over places of what this layer gives is the embedding; the network's answer if None.
        name: what it is compared with, in words.

    Misleads: the two pictures are explained one at a time; what they share shows in `seewhy.similarity`. The gradient of minus the distance
        has the same length everywhere but at the reference itself, where there is none.
    """

    reference: Any
    measure: Measure = "cosine"
    threshold: float = 0.0
    layer: str | None = None
    name: str = "the reference"

    def __post_init__(self) -> None:
        if self.measure not in get_args(Measure):
            raise TargetError(f"a measure is one of {', '.join(get_args(Measure))}, got {self.measure!r}")
        object.__setattr__(self, "reference", _vector(self.reference))

    def part(self, rows: slice, images: int) -> Target:
        """Return the target of some of the images."""
        return _part_of(self, rows, images, "reference")

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the embedding that the picture is compared with."""
        reference = self.fixed(self.reference, reading)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return nearness(self.embedding(seen), reference, self.measure) - self.threshold

        margin = f" over {self.threshold:g}" if self.threshold else ""
        unit = "minus distance" if self.measure == "distance" else self.measure
        return BoundTarget(score, (f"likeness to {self.name}{margin}",) * len(reading.output), unit)


@dataclass(frozen=True)
class Triplet(EmbeddingTarget):
    """Cosine to one embedding minus cosine to another: why nearer to this than to that.

    Args:
        positive, negative: embeddings (d,), or one for each image (b, d).
        layer: as in `Similarity`.
        names: what the two are, in words.
    """

    positive: Any
    negative: Any
    layer: str | None = None
    names: tuple[str, str] = ("the positive", "the negative")

    def __post_init__(self) -> None:
        for name in ("positive", "negative"):
            object.__setattr__(self, name, _vector(getattr(self, name)))

    def part(self, rows: slice, images: int) -> Target:
        """Return the target of some of the images."""
        return _part_of(self, rows, images, "positive", "negative")

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze both embeddings."""
        near, far = self.fixed(self.positive, reading), self.fixed(self.negative, reading)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            own = self.embedding(seen)
            return nearness(own, near, "cosine") - nearness(own, far, "cosine")

        words = f"nearer to {self.names[0]} than to {self.names[1]}"
        return BoundTarget(score, (words,) * len(reading.output), "cosine")


def embedding_of(reading: Reading, layer: str | None = None) -> Float[Tensor, "b d"]:
    """Return the embedding of each image: the answer (b, d), or the mean over places of a layer.

    Raises:
        TargetError: the answer is no vector for each image.
    """
    if layer is not None:
        return columns_of(reading.activation[layer]).mean(dim=2)
    if reading.output.dim() != 2:
        raise TargetError(
            f"an embedding is asked for, and the network's answer has shape {shape_words(reading.output.shape)}, not (images, numbers); name a layer whose "
            f"mean over places is one; {fitting(reading.output.shape)}"
        )
    return reading.output


def nearness(own: Float[Tensor, "b d"], other: Float[Tensor, "#b d"], measure: Measure) -> Float[Tensor, " b"]:
    """Return how near embeddings lie to others; more is nearer."""
    if measure == "cosine":
        own, other = F.normalize(own, dim=1), F.normalize(other, dim=1)
    if measure == "distance":
        return -(own - other).square().sum(dim=1).sqrt()
    return (own * other).sum(dim=1)


def _vector(given: Any) -> Array:
    vector = as_array(given)
    if len(vector.shape) not in (1, 2) or not vector.numpy().any():
        raise TargetError(
            f"an embedding is a vector, or one for each image, not all zero; got an array of shape {shape_words(vector.shape)}"
        )
    return vector


def _part_of(target: "Similarity | Triplet", rows: slice, images: int, *names: str) -> Target:
    """Return a target with the rows of those vectors that hold one for each image."""
    changed: dict[str, Any] = {}
    for name in names:
        vector = getattr(target, name)
        if len(vector.shape) == 2 and vector.shape[0] != 1:
            if vector.shape[0] != images:
                raise TargetError(f"{vector.shape[0]} embeddings for {images} images; give one, or one for each image")
            changed[name] = torch.from_numpy(vector.numpy()[rows])
    return replace(target, **changed) if changed else target
