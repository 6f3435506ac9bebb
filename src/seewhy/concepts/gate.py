"""Is a concept there at all: are its pictures told from others that the direction has not seen, and better than random pictures are?"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from seewhy.concepts.directions import Span, Way, steps
from seewhy.concepts.draws import chances, least_chance

FOLDS = 5
SPLITS: dict[Way, int] = {"mean difference": 3, "ridge": 1, "logistic": 1}
"""Times that the pictures are divided into folds anew; once, where a fit takes longer."""
_AT_ONCE = 1 << 22
Margins = Callable[[Tensor, Tensor], Tensor]
"""From which pictures count on either side of each fit (r, n) to how far each picture lies on the side of the concept (r, n)."""


@dataclass(frozen=True)
class Gate:
    """How well pictures of a concept are told from others by the direction fitted without them.

    Attributes:
        accuracy: mean of the shares of either side that lie on their side of the middle; 0.5 is chance.
        random: middle 95 % of the same for concepts of as many random pictures.
        chance: rank of the accuracy among those, as a p-value; not corrected.
        least: the smallest that could have come out.
    """

    accuracy: float
    random: tuple[float, float]
    chance: float
    least: float


def gate(
    with_it: Float[Tensor, "n c"], without: Float[Tensor, "m c"], way: Way, draws: int, generator: Generator
) -> Gate:
    """Return the gate of a concept.

    Five folds (as many as pictures, where there are fewer), for the mean difference three times divided anew; random concepts are drawn from all pictures, those of the concept
    included, and go through the same.

    Args:
        with_it: activations of the concept's pictures; at least two.
        without: those of the others; at least two.
        way: how the direction is found.
        draws: how many random concepts.
        generator: of all draws.
    """
    rows = Span.of(torch.cat([with_it, without])).rows
    count, total = len(with_it), len(rows)
    orders = torch.rand(draws + 1, total, generator=generator).argsort(dim=1)
    orders[0] = torch.arange(total)  # the concept itself
    part = max(1, _AT_ONCE // (total * FOLDS))
    margins = _margins_of(rows, way)
    found = torch.cat([_accuracies(margins, some, count, way, generator) for some in torch.split(orders, part)])
    random = found[1:]
    low, high = torch.quantile(random, torch.tensor([0.025, 0.975], dtype=random.dtype)).tolist()
    return Gate(
        float(found[0]),
        (low, high),
        float(chances(found[:1], random[:, None])[0]),
        least_chance(count, total - count, draws),
    )


def _accuracies(margins: Margins, orders: Tensor, count: int, way: Way, generator: Generator) -> Float[Tensor, " r"]:
    """Return the held-out accuracy of each concept: the first so many of an order are its pictures."""
    folds = min(FOLDS, count, orders.shape[1] - count)
    member = torch.zeros(orders.shape, dtype=torch.bool)
    member.scatter_(1, orders[:, :count], torch.ones_like(orders[:, :count], dtype=torch.bool))
    total = torch.zeros(len(orders), dtype=torch.float64)
    for _ in range(SPLITS[way]):
        fold = _folds(member, folds, generator)
        total += sum(_held_out(margins, member, fold == number) for number in range(folds)) / folds
    return total / SPLITS[way]


def _folds(member: Tensor, folds: int, generator: Generator) -> Tensor:
    """Return the fold of each picture, drawn anew for each concept, as even as can be on either side."""
    key = torch.rand(member.shape, generator=generator) + member  # those of the concept come last
    order = key.argsort(dim=1)
    place = torch.arange(member.shape[1]).expand(member.shape)
    return torch.empty(member.shape, dtype=torch.long).scatter_(1, order, place % folds)


def _held_out(margins: Margins, member: Tensor, out: Tensor) -> Float[Tensor, " r"]:
    """Return the mean over both sides of the share of held-out pictures on their own side of the middle; a tie counts half."""
    inside, outside = (member & ~out).double(), (~member & ~out).double()
    margin = margins(inside, outside)
    side = torch.where(member, 1.0, -1.0)
    right = 0.5 * (1 + torch.sign(margin * side))
    shares = [
        (right * mask).sum(dim=1) / mask.sum(dim=1) for mask in ((member & out).double(), (~member & out).double())
    ]
    return (shares[0] + shares[1]) / 2


def _margins_of(rows: Float[Tensor, "n s"], way: Way) -> Margins:
    """Return what gives, for each fit, how far along its direction each picture lies from the middle of the two means."""

    def along(inside: Tensor, outside: Tensor) -> Float[Tensor, "r n"]:
        step = steps(way, rows, inside, outside)
        return step @ rows.T - (step * _middles(rows, inside, outside)).sum(dim=1, keepdim=True)

    if way != "mean difference":
        return along
    products = rows @ rows.T  # a mean difference is a sum of pictures, so that products of pictures tell all

    def from_products(inside: Tensor, outside: Tensor) -> Float[Tensor, "r n"]:
        first, last = (mass / mass.sum(dim=1, keepdim=True) for mass in (inside, outside))
        near, far = first @ products, last @ products
        return near - far - ((first * near).sum(dim=1, keepdim=True) - (last * far).sum(dim=1, keepdim=True)) / 2

    return from_products


def _middles(rows: Float[Tensor, "n s"], inside: Tensor, outside: Tensor) -> Float[Tensor, "r s"]:
    ends = [(mass @ rows) / mass.sum(dim=1, keepdim=True) for mass in (inside, outside)]
    return (ends[0] + ends[1]) / 2
