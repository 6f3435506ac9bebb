"""One photo seen through a dictionary: what each concept adds to what the network says of it, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.concepts.contributions import Contributions, contributions, order_of
from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.matching import check_fits
from seewhy.concepts.stated import Prototypes
from seewhy.core.needs import Needs
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.core.trace import Reading
from seewhy.data.picture import read
from seewhy.engine.black_box import is_black_box
from seewhy.engine.head import Head
from seewhy.engine.passes import upcast
from seewhy.engine.session import Session
from seewhy.errors import LayerError
from seewhy.ops.filters import resize

FORMAT = "seewhy-concept-map-1"
"""Name and version of the layout of the numbers; a change that breaks readers raises the number."""
TOP = 3
"""Most probable classes that are told."""


@dataclass(frozen=True, eq=False)
class PhotoConcepts:
    """The score of one photo as a sum over concepts, each with its map.

    Attributes:
        sample: the photo.
        dictionary: of the concepts.
        found: the sum, of this one photo.
        target: what was asked, in words.
        unit: of the score.
        network: its name for people.
        top: the most probable classes, where the network names classes: (name, probability).
        provenance: network, versions.
    """

    sample: Sample
    dictionary: Dictionary
    found: Contributions
    target: str
    unit: str
    network: str
    top: tuple[tuple[str, float], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def layer(self) -> str:
        """Whose activations are taken apart."""
        return self.dictionary.layer

    @property
    def spatial(self) -> bool:
        """Whether the layer has places, so that each concept has a map."""
        return self.found.maps.dim() == 4

    @property
    def score(self) -> float:
        """What is split."""
        return float(self.found.score[0])

    @property
    def baseline(self) -> float:
        """The score where the layer gives nothing."""
        return float(self.found.baseline[0])

    @property
    def contributions(self) -> Float[Tensor, " k"]:
        """What each concept adds to the score."""
        return self.found.contributions[0]

    @property
    def offset(self) -> float:
        """What the dictionary's offset adds."""
        return float(self.found.offset[0])

    @property
    def rest(self) -> float:
        """What the part of the activation adds that no concept explains."""
        return float(self.found.rest[0])

    @property
    def error(self) -> float:
        """What the quadrature misses."""
        return float(self.found.error[0])

    @property
    def residual(self) -> float:
        """What is neither baseline nor offset nor any concept's: rest and error."""
        return self.rest + self.error

    @property
    def maps(self) -> Float[Tensor, "k *spatial"]:
        """What each concept adds at each place of the layer; each sums to its contribution."""
        return self.found.maps[0]

    def shown(self, concept: int) -> Float[Tensor, "*spatial"]:
        """Return the map of a concept that is drawn: what it adds at each place.

        Of a prototype of which only the most similar place counts, that would be one cell; so it is the similarity everywhere, in units of what the
        prototype adds where it is most alike.
        """
        if not isinstance(self.dictionary, Prototypes):
            return self.maps[concept]
        alike = self.found.codes[0, concept]
        return alike / alike.abs().max().clamp_min(1e-30) * self.contributions[concept]

    def patch(self, concept: int) -> Image.Image | None:
        """Return the training patch that a prototype is; None where the network names none.

        Raises:
            DataError: the file is gone.
        """
        named = self.dictionary.settings.get("patches") if isinstance(self.dictionary, Prototypes) else None
        return None if not named or named[concept] is None else read(named[concept])[0]

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The concepts by the size of what they add, the largest first."""
        return tuple(order_of(self.contributions).tolist())

    @property
    def names(self) -> tuple[str, ...]:
        """Of the concepts."""
        return self.dictionary.names or tuple(f"concept {number}" for number in range(len(self.dictionary)))

    def in_source(
        self, values: Float[Tensor, "*spatial"], size: tuple[int, int] | None = None
    ) -> Float[Tensor, "sh sw"]:
        """Return a map of the layer on the pixels of the photo, interpolated, not rescaled; NaN where the network saw nothing.

        Args:
            values: one of `maps`.
            size: resolution (h, w) of the whole photo; its own if None.

        Raises:
            LayerError: the layer has no places.
        """
        if not self.spatial:
            raise LayerError(
                f"layer {self.layer!r} gives one number for each concept and no places, so there is no map"
            )
        if self.sample.geometry is None:
            return resize(values[None].float(), size or tuple(self.sample.inputs.shape[1:]))[0]
        return self.sample.geometry.to_source(values.float(), size)

    @property
    def photo(self) -> Image.Image:
        """The photo; a grey view of the input where it came as a ready tensor."""
        if self.sample.picture is not None:
            return self.sample.picture
        values = self.sample.inputs.detach().float().mean(dim=0)
        grey = (values - values.min()) / (values.max() - values.min()).clamp_min(1e-12) * 255
        return Image.fromarray(grey.byte().cpu().numpy()).convert("RGB")

    def numbers(self) -> dict[str, Any]:
        """Return everything but the maps as plain values, ready for JSON; `score` is the sum of `baseline`, `concepts`, `offset`, `rest` and `error`."""
        peaks = self.maps.reshape(len(self.maps), -1)
        return {
            "format": FORMAT,
            "photo": self.sample.name,
            "network": self.network,
            "layer": self.layer,
            "grid": list(self.maps.shape[1:]) or None,
            "target": self.target,
            "unit": self.unit,
            "top": [{"class": name, "probability": probability} for name, probability in self.top],
            "score": self.score,
            "baseline": self.baseline,
            "concepts": [
                {
                    "concept": number,
                    "name": self.names[number],
                    "contribution": float(self.contributions[number]),
                    "strength": float(self.found.codes[0, number].flatten().mean()),
                    "most": float(peaks[number].max()),
                    "least": float(peaks[number].min()),
                }
                for number in self.order
            ],
            "offset": self.offset,
            "rest": self.rest,
            "error": self.error,
            "steps": self.found.steps,
            "affine": self.found.affine,
            "dictionary": {
                "kind": self.dictionary.key,
                "concepts": len(self.dictionary),
                "settings": dict(self.dictionary.settings),
            },
            "provenance": dict(self.provenance),
        }


def photo_concepts(session: Session, sample: Sample, dictionary: Dictionary, target: Target) -> PhotoConcepts:
    """Split what a network says of one photo over the concepts of a dictionary; see `seewhy.concepts.contributions.contributions`.

    Args:
        session: runs the network.
        sample: the photo, prepared.
        dictionary: of one of the network's layers.
        target: what is asked; it may read only the network's answer.

    Raises:
        ModelError: the dictionary was made for another network, or for other preprocessing.
        LayerError: the network is a black box, or something goes round the layer.
        TargetError: the target looks inside the network.
    """
    if is_black_box(session.network.module):
        raise LayerError(f"{session.model.title} is a black box, which has no layers to look into")
    check_fits(dictionary, session.model)
    inputs = session.network.accept(sample.inputs[None])
    made = session.network.forward(inputs, Needs(outputs=frozenset({dictionary.layer})))
    raw, outputs = made.nodes[dictionary.layer].detach(), upcast(made.reading.output.detach())
    raw = raw if made.grids[dictionary.layer] is not None else raw.flatten(1)
    head = Head.of(session.network, dictionary.layer, inputs)
    labels = session.model.labels
    found = contributions(head, raw, outputs, target, dictionary, labels=labels)
    bound = target.bind(Reading(outputs), labels)
    return PhotoConcepts(
        sample,
        dictionary,
        found,
        target=bound.names[0],
        unit=bound.unit,
        network=session.model.title,
        top=_top(outputs, labels),
        provenance=session.provenance,
    )


def _top(outputs: Tensor, labels: Any) -> tuple[tuple[str, float], ...]:
    """Return the most probable classes with their names, where there are names."""
    if labels is None or outputs.dim() != 2 or outputs.shape[1] != len(labels) or len(labels) < 2:
        return ()
    shares = outputs[0].float().softmax(dim=0)
    best = torch.topk(shares, min(TOP, len(labels)))
    return tuple((labels[place], float(shares[place])) for place in best.indices.tolist())
