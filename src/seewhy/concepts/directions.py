"""From pictures with and without a concept to the direction of the concept in a layer: many fits at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.errors import ConfigError, nearest

Way = Literal["mean difference", "ridge", "logistic"]
"""How a direction is found."""

LOGISTIC_STRENGTH = 0.01
LOGISTIC_STEPS = 100
_AT_ONCE = 1 << 22
"""Numbers of the matrices that are solved at once."""
_MOST_PRODUCTS = 1 << 24

Masses = Float[Tensor, "r n"]
"""How often each of n pictures counts in each of r fits."""


@dataclass(frozen=True, eq=False)
class Span:
    """Activations in coordinates of the space that they span: as many as pictures at most, where the layer has more channels.

    Each way of finding a direction gives one that lies in this space and turns with it (the penalties are lengths), so that a fit in these coordinates is
    the fit in all channels: the dual form of ridge regression, for all ways at once.

    Attributes:
        rows: the activations less their mean, in these coordinates (n, s).
        axes: at right angles and of length 1 (s, c).
    """

    rows: Float[Tensor, "n s"]
    axes: Float[Tensor, "s c"]

    @classmethod
    def of(cls, rows: Float[Tensor, "n c"]) -> "Span":
        """Return the span of activations; the channels themselves where there are no more of them than pictures."""
        centred = rows.double() - rows.double().mean(dim=0)
        if rows.shape[1] <= rows.shape[0]:
            return cls(centred, torch.eye(rows.shape[1], dtype=torch.float64))
        left, sizes, axes = torch.linalg.svd(centred, full_matrices=False)
        real = sizes > sizes.amax().clamp_min(1e-300) * 1e-10
        return cls(left[:, real] * sizes[real], axes[real])


def ways() -> tuple[str, ...]:
    """Return the names of all ways."""
    return get_args(Way)


def way_of(name: str) -> Way:
    """Return a way by its name, "mean" and "mean-difference" included; raise `ConfigError` with the nearest names."""
    plain = name.lower().replace("-", " ").replace("_", " ")
    for way in get_args(Way):
        if plain in {way, way.split()[0]}:
            found: Way = way
            return found
    near = nearest(name, list(ways()))
    raise ConfigError(
        f"a concept's direction is found by {', '.join(ways())}; got {name!r}{near and f'; nearest: {near}'}"
    )


def steps(way: Way, rows: Float[Tensor, "n s"], positive: Masses, negative: Masses) -> Float[Tensor, "r s"]:
    """Return, for each of r fits, how far the pictures with the concept lie from those without it, along the direction that is found.

    The step is (d . v) v, with v the direction of length 1 and d the difference of the two means. For the mean difference it is d itself. A fit without a
    direction, as where both means are the same, gives 0.

    Args:
        way: how the direction is found.
        rows: activations of the pictures.
        positive, negative: how often each picture counts as one with the concept, and as one without it; a picture may count on one side only.
    """
    apart = _mean_difference(rows, positive, negative)
    if way == "mean difference":
        return apart
    found = _WAYS[way](rows, positive, negative)
    length = (found**2).sum(dim=1, keepdim=True)
    along = (apart * found).sum(dim=1, keepdim=True)
    return torch.where(length > 0, found * (along / length.clamp_min(1e-300)), 0.0)


def _mean_difference(rows: Float[Tensor, "n s"], positive: Masses, negative: Masses) -> Float[Tensor, "r s"]:
    """The formula: v = mean of those with - mean of those without.

    Source: Kim et al. 2018, arXiv 1711.11279, footnote 3 (relative to others); why it is right where a classifier's weights are not: Haufe et al. 2014,
        doi 10.1016/j.neuroimage.2013.10.067, as the weights also cancel what has nothing to do with the concept; for concept vectors: Pahde et al. 2022,
        arXiv 2202.03482.
    """
    return _means(rows, positive) - _means(rows, negative)


def _means(rows: Float[Tensor, "n s"], masses: Masses) -> Float[Tensor, "r s"]:
    return (masses @ rows) / masses.sum(dim=1, keepdim=True)


def _ridge(rows: Float[Tensor, "n s"], positive: Masses, negative: Masses) -> Float[Tensor, "r s"]:
    """The formula: v = (X'X + l I)^-1 X'y about the mean, y = 1 and -1, l the total variance of a picture.

    Source: Hoerl and Kennard 1970, Ridge regression.
    """
    mass = positive + negative
    total = mass.sum(dim=1, keepdim=True)
    middle = (mass @ rows) / total
    answers = (positive - negative) @ rows - (positive - negative).sum(dim=1, keepdim=True) * middle  # X'y
    if bool((mass == mass[:1]).all()):  # the same pictures in each fit: one matrix for all
        solved: Tensor = torch.linalg.solve(_penalized(rows, mass[:1], middle[:1])[0], answers.T)
        return solved.T
    products = _products(rows)
    some = max(1, _AT_ONCE // rows.shape[1] ** 2)
    parts = zip(torch.split(mass, some), torch.split(middle, some), torch.split(answers, some), strict=True)
    found = [
        torch.linalg.solve(_penalized(rows, masses, means, products), right[:, :, None])[..., 0]
        for masses, means, right in parts
    ]
    return torch.cat(found)


def _products(rows: Float[Tensor, "n s"]) -> Float[Tensor, "n t"] | None:
    """Return all products of two coordinates of each picture, which make the matrices of all fits in one step; None where they take too much memory."""
    if rows.numel() * rows.shape[1] > _MOST_PRODUCTS:
        return None
    return (rows[:, :, None] * rows[:, None, :]).flatten(1)


def _penalized(
    rows: Float[Tensor, "n s"],
    mass: Masses,
    middle: Float[Tensor, "r s"],
    products: Float[Tensor, "n t"] | None = None,
) -> Float[Tensor, "r s s"]:
    total = mass.sum(dim=1)[:, None, None]
    size = rows.shape[1]
    squares = rows.T @ (mass[:, :, None] * rows) if products is None else (mass @ products).view(-1, size, size)
    squares = squares - total * middle[:, :, None] * middle[:, None, :]
    variance = squares.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None] / total
    return squares + variance.clamp_min(1e-300) * torch.eye(size, dtype=rows.dtype)


def _logistic(rows: Float[Tensor, "n s"], positive: Masses, negative: Masses) -> Float[Tensor, "r s"]:
    """The formula: v = the weights of a logistic regression with a penalty on their length, both sides weighing the same; by Nesterov's accelerated steps.

    Source: Kim et al. 2018, arXiv 1711.11279, section 3.2 (a linear classifier); the steps: Nesterov 2004, Introductory lectures, scheme 2.2.9.
    """
    mass = positive / positive.sum(dim=1, keepdim=True) / 2 + negative / negative.sum(dim=1, keepdim=True) / 2
    sides = torch.where(positive > 0, 1.0, -1.0).to(rows)
    about = rows - rows.mean(dim=0)
    variance = float((about**2).sum(dim=1).mean().clamp_min(1e-300))
    inputs = torch.cat([about / variance**0.5, about.new_ones(len(about), 1)], dim=1)
    steepest = 0.25 * (mass @ (inputs**2).sum(dim=1))[:, None] + LOGISTIC_STRENGTH  # no curvature is larger
    slope = (LOGISTIC_STRENGTH / steepest) ** 0.5
    inertia = (1 - slope) / (1 + slope)
    weights = ahead = rows.new_zeros(len(mass), inputs.shape[1])
    for _ in range(LOGISTIC_STEPS):
        pull = mass * sides * torch.sigmoid(-sides * (ahead @ inputs.T))
        before, weights = weights, ahead + (pull @ inputs - LOGISTIC_STRENGTH * ahead) / steepest
        ahead = weights + inertia * (weights - before)
    return weights[:, :-1]


_WAYS: dict[Way, Callable[[Float[Tensor, "n s"], Masses, Masses], Float[Tensor, "r s"]]] = {
    "mean difference": _mean_difference,
    "ridge": _ridge,
    "logistic": _logistic,
}
