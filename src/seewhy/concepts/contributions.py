"""A score split into what each concept adds to it, place by place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.vectors import ConceptVectors
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.engine.head import ROWS, Head
from seewhy.errors import ConfigError, TargetError
from seewhy.ops.quadrature import gauss_legendre

NODES = (4, 16, 64)
"""Places on the way from nothing to the activation, where one is not enough; more are taken while the terms miss the score."""
EXACT = {torch.float64: 1e-9, torch.float32: 1e-5}
"""What the terms may miss of the size of all of them and still count as exact."""
CLOSE = 1e-2
"""Share of score and baseline that they may miss before more places are taken."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """Scores of pictures as sums: baseline + concepts + offset + rest + error. In units of the score; positive speaks for the target.

    Attributes:
        score: of each picture.
        baseline: the score where the layer gives nothing, A = 0 at every place.
        maps: what each concept adds at each place (n, k, *spatial); (n, k) where the layer has no places.
        offset_map: what the dictionary's offset adds at each place (n, *spatial); 0 without offset.
        rest_map: what no concept explains adds at each place (n, *spatial).
        codes: how strong each concept is at each place (n, k, *spatial).
        steps: places on the way from nothing to the activation at which the gradient was taken.
        affine: whether what follows the layer was found to be affine on that way: then one step is exact.
    """

    score: Float[Tensor, " n"]
    baseline: Float[Tensor, " n"]
    maps: Float[Tensor, "n k *spatial"]
    offset_map: Float[Tensor, "n *spatial"]
    rest_map: Float[Tensor, "n *spatial"]
    codes: Float[Tensor, "n k *spatial"]
    steps: int
    affine: bool

    @property
    def contributions(self) -> Float[Tensor, "n k"]:
        """What each concept adds to each score."""
        return self.maps.flatten(2).sum(dim=2) if self.maps.dim() > 2 else self.maps

    @property
    def offset(self) -> Float[Tensor, " n"]:
        """What the dictionary's offset adds."""
        return _total(self.offset_map)

    @property
    def rest(self) -> Float[Tensor, " n"]:
        """What the part of the activation adds that no concept explains."""
        return _total(self.rest_map)

    @property
    def error(self) -> Float[Tensor, " n"]:
        """What the quadrature misses: the score minus all other terms."""
        return self.score - self.baseline - self.contributions.sum(dim=1) - self.offset - self.rest

    @property
    def residual(self) -> Float[Tensor, " n"]:
        """What is neither baseline nor offset nor any concept's: rest and error."""
        return self.rest + self.error


def _total(values: Float[Tensor, "n *spatial"]) -> Float[Tensor, " n"]:
    return values.flatten(1).sum(dim=1) if values.dim() > 1 else values


def contributions(
    head: Head,
    raw: Float[Tensor, "n ..."],
    outputs: Float[Tensor, "n k"],
    target: Target,
    dictionary: Dictionary,
    *,
    labels: Sequence[str] | None = None,
) -> Contributions:
    """Split scores over the concepts of a layer, from its activations alone.

    With A = u D + o + rest at each place, and the straight way from A = 0 to A, integrated gradients at the layer give

        score = score(0) + sum_places g . A + error,    g = mean over the way of d score / d A

    which is linear in A, so each concept k gets u_k (g . D_k) at each place, the offset g . o, and the rest g . rest. Codes u are the dictionary's own;
    those of concept vectors, which are no reconstruction, are found together by least squares. Where what follows the layer is
    affine on the way, g is the same everywhere on it and one place is exact: that is tried (gradients in the middle and at the end agree, and the terms add
    up), not assumed. Else the places are Gauss-Legendre nodes, more while the terms miss more than a hundredth.

    Args:
        head: what follows the layer.
        raw: activations in the layer's own layout, such as `Features.raw`. Tokens without a place stay as they are, and belong to the baseline.
        outputs: the network's answers to the same pictures; the target is bound on them.
        target: a class, a contrast, or anything else that reads only the answer.
        dictionary: of the layer.
        labels: names of the classes.

    Raises:
        ConfigError: the dictionary has another number of channels.
        TargetError: the target looks at layers.

    Limits: A = 0 need not be what any picture gives; the split depends on the dictionary, and another one of equal quality may split otherwise. The mean
        gradient tells concepts apart only as far as the head is near linear: concepts that matter only together share what they do together.
    Source: Sundararajan et al. 2017, arXiv 1703.01365, equation 1, at the layer; along atoms instead of channels as in Zhang et al. 2021,
        arXiv 2006.15417, section 3, who have average pooling and a linear layer behind it.
    """
    if target.needs().layers:
        raise TargetError("a score is split over concepts through the network's answer; this target looks at layers")
    activation = raw if head.grid is None else head.grid.apply(raw)
    if activation.shape[1] != dictionary.atoms.shape[1]:
        raise ConfigError(
            f"the dictionary is for {dictionary.atoms.shape[1]} channels, and layer {head.layer!r} has {activation.shape[1]}"
        )

    def way(rows: slice, *, fine: bool = False) -> _Way:
        bound = target.part(rows, len(raw)).bind(Reading(outputs[rows]), labels)
        found = _Way.of(head, raw[rows], activation[rows], bound)
        return found.refined(head, raw[rows], bound) if fine else found

    together = [way(slice(start, min(start + ROWS, len(raw)))) for start in range(0, len(raw), ROWS)]
    if all(one.affine() for one in together):
        return _split(together, dictionary, affine=True)
    return _split([way(slice(row, row + 1), fine=True) for row in range(len(raw))], dictionary, affine=False)


@dataclass(frozen=True, eq=False)
class _Way:
    """The straight way from nothing to the activations of some pictures.

    Attributes:
        activation: at its end.
        score, baseline: at its end and at its beginning.
        slope: the mean gradient on it, from so many `steps`.
        end: the gradient at its end.
    """

    activation: Float[Tensor, "n c *spatial"]
    score: Float[Tensor, " n"]
    baseline: Float[Tensor, " n"]
    slope: Float[Tensor, "n c *spatial"]
    end: Float[Tensor, "n c *spatial"]
    steps: int = 1

    @classmethod
    def of(cls, head: Head, raw: Tensor, activation: Tensor, bound: BoundTarget) -> "_Way":
        """Return the way with the gradient in its middle."""
        score, end = head.slopes(raw, bound)
        baseline, _ = head.slopes(head.raw_with(raw, 0.0 * activation), bound)
        _, middle = head.slopes(head.raw_with(raw, 0.5 * activation), bound)
        return cls(activation.to(score), score, baseline, middle, end)

    def affine(self) -> bool:
        """Say whether the gradient is the same in the middle and at the end, and leaves nothing over but rounding."""
        tolerance = EXACT.get(self.score.dtype, EXACT[torch.float32])
        same = torch.allclose(self.slope, self.end, rtol=1e-4, atol=1e-4 * float(self.end.abs().max()))
        size = (self.slope * self.activation).flatten(1).abs().sum(dim=1) + self.score.abs() + self.baseline.abs()
        return same and bool((self.missed() <= tolerance * size).all())

    def missed(self) -> Float[Tensor, " n"]:
        """Return what the terms miss of the score."""
        terms = (self.slope * self.activation).flatten(1)
        return (self.score - self.baseline - terms.sum(dim=1)).abs()

    def close(self) -> bool:
        """Say whether the terms miss little of what they are to add up to."""
        return bool((self.missed() <= CLOSE * (self.score.abs() + self.baseline.abs())).all())

    def refined(self, head: Head, raw: Tensor, bound: BoundTarget) -> "_Way":
        """Return the way of one picture with so many places that the terms miss little, or with the most that are taken."""
        way = self
        for steps in NODES:
            nodes, weights = (torch.tensor(values).to(self.activation) for values in gauss_legendre(steps))
            axes = [-1] + [1] * (self.activation.dim() - 1)
            between = nodes.view(axes) * self.activation
            rows = head.raw_with(raw.expand(steps, *raw.shape[1:]), between.to(raw))
            _, slopes = head.slopes(rows, bound.each(steps))
            way = replace(self, slope=(weights.view(axes) * slopes).sum(dim=0, keepdim=True), steps=steps)
            if way.close():
                break
        return way


def _split(ways: Sequence[_Way], dictionary: Dictionary, *, affine: bool) -> Contributions:
    activation = torch.cat([way.activation for way in ways])
    grades = _rows(torch.cat([way.slope for way in ways]))
    rows = _rows(activation).to(grades)
    atoms, offset = dictionary.atoms.to(rows), dictionary.offset.to(rows)
    codes = _codes(dictionary, rows)
    rest = rows - codes @ atoms - offset
    shape = (len(activation), *activation.shape[2:])
    return Contributions(
        score=torch.cat([way.score for way in ways]),
        baseline=torch.cat([way.baseline for way in ways]),
        maps=_placed(codes * (grades @ atoms.T), shape),
        offset_map=(grades @ offset).view(shape),
        rest_map=(grades * rest).sum(dim=1).view(shape),
        codes=_placed(codes, shape),
        steps=max(way.steps for way in ways),
        affine=affine,
    )


def _codes(dictionary: Dictionary, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
    """Return codes whose sum with the atoms comes as near the activations as the dictionary can.

    Concept vectors are read each alone, and those that are alike would count twice: their codes are those of least squares, all at once.
    """
    if isinstance(dictionary, ConceptVectors):
        inverse: Tensor = torch.linalg.pinv(dictionary.atoms.double())
        return (rows - dictionary.offset.to(rows)) @ inverse.to(rows)
    return dictionary.encode(rows.to(dictionary.atoms)).to(rows)


def _rows(values: Float[Tensor, "n c *spatial"]) -> Float[Tensor, "m c"]:
    """Return every position of every picture as a row."""
    return values.flatten(2).transpose(1, 2).flatten(0, 1) if values.dim() > 2 else values


def _placed(rows: Float[Tensor, "m k"], shape: Sequence[int]) -> Float[Tensor, "n k *spatial"]:
    """Return rows, position after position, as maps."""
    if len(shape) == 1:
        return rows
    return rows.view(shape[0], -1, rows.shape[1]).transpose(1, 2).reshape(shape[0], rows.shape[1], *shape[1:])


def order_of(values: Float[Tensor, " k"]) -> Int[Tensor, " k"]:
    """Return concepts by the size of what they add, the largest first; of equal ones the earlier."""
    return values.abs().argsort(descending=True, stable=True)
