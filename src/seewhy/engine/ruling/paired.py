"""A target on images and on the images beside them, in one pass: its gradient leaves no remainder between the two."""

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.target import BoundTarget
from seewhy.core.trace import Reading
from seewhy.ops.quadrature import gauss_legendre

NODES = 64
"""Places on the line between two answers; for a target that is linear in the answer one would do."""


def rows_of(reading: Reading, rows: slice) -> Reading:
    """Return some rows of a reading."""
    return Reading(reading.output[rows], {name: value[rows] for name, value in reading.activation.items()})


def paired(bound: BoundTarget, images: int) -> BoundTarget:
    """Score the images and those beside them; the former with the mean gradient on the line between the two, the latter with none.

    So gradient times difference adds up to the difference of the scores, also for a probability. For a logit it is the gradient.
    """

    def score(reading: Reading) -> Float[Tensor, " two_b"]:
        first, second = rows_of(reading, slice(images)), rows_of(reading, slice(images, None))
        value, beside = bound(first), bound(second).detach()
        if gradients := _mean_gradients(bound, first, second):
            hang = [part for part in _parts(first) if part.requires_grad]
            terms = [(slope * part).reshape(images, -1).sum(dim=1) for slope, part in zip(gradients, hang, strict=True)]
            carrier = torch.stack(terms).sum(dim=0)
            value = value.detach() + (carrier - carrier.detach())
        return torch.cat([value, beside])

    return BoundTarget(score, bound.names * 2, bound.unit)


def _parts(reading: Reading) -> list[Tensor]:
    return [reading.output, *reading.activation.values()]


def _mean_gradients(bound: BoundTarget, first: Reading, second: Reading) -> list[Tensor]:
    """Return the integral over the line of the gradient at each part of the reading that hangs on the input."""
    hang = [part.requires_grad for part in _parts(first)]
    summed: list[Tensor] = []
    for node, weight in zip(*gauss_legendre(NODES), strict=True):
        point = [
            torch.lerp(beside.detach(), one.detach(), node).requires_grad_()
            for one, beside in zip(_parts(first), _parts(second), strict=True)
        ]
        names = list(first.activation)
        value = bound(Reading(point[0], dict(zip(names, point[1:], strict=True))))
        if not value.requires_grad:
            return []
        leaves = [leaf for leaf, one in zip(point, hang, strict=True) if one]
        found = torch.autograd.grad(value.sum(), leaves, allow_unused=True, materialize_grads=True)
        scaled = [weight * gradient for gradient in found]
        summed = scaled if not summed else [a + b for a, b in zip(summed, scaled, strict=True)]
    return summed
