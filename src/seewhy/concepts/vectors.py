"""Given concepts as directions in a layer: a score for each picture, a dictionary for readable models."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.directions import Span, Way, steps
from seewhy.data.features import Features
from seewhy.errors import ConfigError, DataError


class ConceptVectors(Dictionary):
    """Concepts that somebody gave by examples: how far a picture lies along the way from random pictures to those of the concept.

    The code of an activation a is (a - o) . d / |d|^2, with o the mean of random pictures and d the step from there to the concept's pictures (`atoms`):
    0 is like random pictures on average, 1 like those of the concept on average.

    Source: Kim et al. 2018, arXiv 1711.11279, section 3.2. Here directions are those of activations pooled over positions, so that a concept has the same
        direction everywhere; there each position has a direction of its own.
    Limits: each code is read alone, and directions are not at right angles: concepts that come together share their codes, and their sum is no
        reconstruction.
    """

    key: ClassVar = "vectors"
    title: ClassVar = "given concepts"
    signed: ClassVar = True

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "ConceptVectors":
        """Refuse: given concepts come from examples.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("given concepts are not found in activations: give folders of examples to seewhy.tcav")

    @classmethod
    def between(
        cls,
        concepts: Sequence[Float[Tensor, "n c"]],
        others: Float[Tensor, "m c"],
        way: Way = "mean difference",
        names: Sequence[str] = (),
    ) -> "ConceptVectors":
        """Return the concepts of some sets of activations.

        Args:
            concepts: of the pictures of each concept, pooled.
            others: of random pictures, pooled.
            way: how directions are found.
            names: of the concepts.
        """
        made = [_step(rows, others, way) for rows in concepts]
        offset = others.double().mean(dim=0)
        return cls(torch.stack(made).float(), offset.float(), tuple(names))

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return how far activations lie along each concept; 0 for one without a direction."""
        lengths = (self.atoms**2).sum(dim=1)
        return torch.where(lengths > 0, (rows - self.offset) @ self.atoms.T / lengths.clamp_min(1e-30), 0.0)

    def scores(self, features: Features) -> Float[Tensor, "n k"]:
        """Return how far each picture lies along each concept: 0 like random pictures, 1 like those of the concept.

        Raises:
            ModelError: the pictures were seen by another network, prepared otherwise, or at another layer.
        """
        self.check(features)
        return self.encode(features.pooled)

    @property
    def verified(self) -> tuple[bool, ...]:
        """Whether each concept beats random ones at the gate; all, where that was not asked."""
        known = self.settings.get("verified")
        return tuple(map(bool, known)) if known is not None else (True,) * len(self)

    def only_verified(self) -> "ConceptVectors":
        """Return those concepts that beat random ones.

        Raises:
            DataError: none does.
        """
        places = [place for place, passed in enumerate(self.verified) if passed]
        if not places:
            raise DataError("none of the concepts is told from random pictures; give more or clearer examples")
        return replace(
            self,
            atoms=self.atoms[places],
            names=tuple(self.names[place] for place in places),
            settings={**self.settings, "verified": [True] * len(places)},
        )


def _step(rows: Float[Tensor, "n c"], others: Float[Tensor, "m c"], way: Way) -> Float[Tensor, " c"]:
    span = Span.of(torch.cat([rows, others]))
    inside = (torch.arange(len(span.rows)) < len(rows)).double()[None]
    return (steps(way, span.rows, inside, 1 - inside) @ span.axes)[0]
