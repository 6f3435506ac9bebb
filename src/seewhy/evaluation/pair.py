"""Two pictures beside each other: how alike a network finds them, where in each that lies, and which places answer to which."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.core.explanation import Explanation
from seewhy.core.method import Method
from seewhy.core.needs import Needs, at
from seewhy.core.sample import Sample
from seewhy.core.trace import Reading
from seewhy.engine.session import Session
from seewhy.errors import LayerError, TargetError
from seewhy.ops.pairwise import pairwise
from seewhy.targets.inside import columns_of
from seewhy.targets.similarity import Measure, Similarity, embedding_of, nearness

CLOSE = 1e-4
"""Largest relative difference at which a head counts as a linear layer behind a mean over places."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """What each pair of places adds to a cosine or a dot product.

    Attributes:
        values: (n, m), places row by row; they add up to the score.
        first, second: grids (h, w) of the places.
        layer: the layer whose places they are.
    """

    values: Float[Tensor, "n m"]
    first: tuple[int, int]
    second: tuple[int, int]
    layer: str

    @property
    def maps(self) -> tuple[Float[Tensor, "h w"], Float[Tensor, "h2 w2"]]:
        """The sums over the other picture's places: a map of each picture; each adds up to the score."""
        return self.values.sum(dim=1).view(self.first), self.values.sum(dim=0).view(self.second)


@dataclass(frozen=True, eq=False)
class Comparison:
    """How alike two pictures are to a network, and why.

    Attributes:
        maps: of the two pictures, each asked with the other's embedding fixed.
        score: cosine, dot product, or minus the distance of the embeddings.
        measure: which of them.
        threshold: from which a score means "the same"; None where none was given.
        layer: whose mean over places is the embedding; None where it is the network's answer.
        pairs: the exact split over pairs of places; None where the head is none that has one.
    """

    maps: Explanation
    score: float
    measure: Measure
    threshold: float | None
    layer: str | None
    pairs: Pairs | None


def compare_pair(
    session: Session,
    samples: Sequence[Sample],
    method: Method,
    *,
    measure: Measure = "cosine",
    threshold: float | None = None,
    layer: str | None = None,
) -> Comparison:
    """Compare two pictures: one pass embeds both, then each is explained with the other's embedding held fixed.

    Raises:
        TargetError: not two pictures; the network's answer is no vector, and no layer is named.
    """
    if len(samples) != 2:
        raise TargetError(f"two pictures are compared, got {len(samples)}")
    inputs = session.network.accept(torch.stack([sample.inputs for sample in samples]))
    with torch.no_grad():
        reading = session.block(inputs, Needs() if layer is None else at(layer)).shared.reading
        embeddings = embedding_of(reading, layer).detach()
    names = tuple(sample.name or "the other picture" for sample in samples)
    target = Similarity(embeddings.flip(0), measure, threshold or 0.0, layer, "the other picture")
    [[maps]] = session.answer(samples, [target], [method])
    maps = replace(maps, targets=(f"likeness to {names[1]}", f"likeness to {names[0]}"))
    score = float(nearness(embeddings[:1], embeddings[1:], measure)[0])
    pairs = None if measure == "distance" else _pairs(session, inputs, embeddings, layer, measure)
    return Comparison(maps, score, measure, threshold, layer, pairs)


def _pairs(
    session: Session, inputs: Tensor, embeddings: Float[Tensor, "2 d"], layer: str | None, measure: Measure
) -> Pairs | None:
    """Return the exact split, where the embedding is a mean over places with at most a linear layer behind it; which is tried."""
    try:
        where = layer or session.network.target_layer(inputs)
    except LayerError:
        return None
    with torch.no_grad():
        found: Reading = session.block(inputs, at(where)).shared.reading
        grid = found.activation[where].detach()
        if grid.dim() != 4:
            return None
        columns = columns_of(grid).double()
        head = _head(session, columns.mean(dim=2), embeddings.double()) if layer is None else (None, None)
        if head is None:
            return None
        values = pairwise(columns[0], columns[1], *head)
        if measure == "cosine":
            values = values / (embeddings[0].double().norm() * embeddings[1].double().norm()).clamp_min(1e-30)
    size = (int(grid.shape[2]), int(grid.shape[3]))
    return Pairs(values.cpu(), size, size, where)


def _head(
    session: Session, pooled: Float[Tensor, "2 c"], embeddings: Float[Tensor, "2 d"]
) -> tuple[Tensor | None, Tensor | None] | None:
    """Return the linear layer that makes the embeddings of the pooled activations; (None, None) where they are the same; None for another head."""
    if _same(pooled, embeddings):
        return None, None
    for module in session.network.module.modules():
        if isinstance(module, nn.Linear) and module.in_features == pooled.shape[1]:
            weight = module.weight.detach().double()
            bias = None if module.bias is None else module.bias.detach().double()
            if _same(nn.functional.linear(pooled, weight, bias), embeddings):
                return weight, bias
    return None


def _same(made: Tensor, known: Tensor) -> bool:
    return made.shape == known.shape and bool((made - known).norm() <= CLOSE * known.norm())
