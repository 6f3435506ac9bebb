"""Coalitions of players: which ones to ask, and what their worths say about each player."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

NEGLIGIBLE = 1e-10
"""Directions in which coalitions say less than this, relative to the one about which they say most, are left alone."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a coalition and its complement, to be weighed.

    Attributes:
        coalitions: one coalition of each pair.
        weights: of each pair.
        drawn: which were drawn at random, for lack of room to ask all of their size.
    """

    coalitions: Bool[Tensor, "p n"]
    weights: Float[Tensor, " p"]
    drawn: Bool[Tensor, " p"]

    def first(self, count: int) -> "Pairs":
        """Return the first pairs alone; they are in random order, so what is left out makes all of them drawn."""
        if count == len(self.weights):
            return self
        return Pairs(self.coalitions[:count], self.weights[:count], torch.ones(count, dtype=torch.bool))


@dataclass(frozen=True, eq=False)
class Fit:
    """What coalitions say about each player, by weighted least squares.

    Attributes:
        values: one per player.
        error: their standard errors: 0 where nothing was drawn at random, infinite where too little was asked to tell.
        quality: share of the variance of the worths, weighted, that an additive game of these values explains: R².
    """

    values: Float[Tensor, " n"]
    error: Float[Tensor, " n"]
    quality: float


def pair_count(players: int) -> int:
    """Return how many pairs of complements there are, besides that of nobody and all."""
    return (1 << (players - 1)) - 1


def kernel_pairs(players: int, count: int, generator: Generator) -> Pairs:
    """Return about `count` pairs of complementary coalitions, weighted as the Shapley kernel wants.

    The kernel gives a coalition of s among n players the weight (n - 1) / (C(n, s) s (n - s)). From the smallest size (and its complement)
    on, all coalitions of a size are listed as long as at least as many would be drawn of it; the rest of the weight is shared among
    coalitions drawn with the kernel's probabilities, with replacement. With `count` of at least `pair_count(players)`, all are listed.
    The order is random, so that the first few are a fair sample.

    Source: Lundberg & Lee 2017, arXiv 1705.07874, theorem 2; pairs: Covert & Lee 2021, arXiv 2012.01536, section 4.
    """
    sizes = list(range(1, players // 2 + 1))
    left = min(count, pair_count(players))
    listed: list[Pairs] = []
    while sizes and (
        left == _pairs_left(players, sizes) or left * _share(players, sizes) >= _pairs_of(players, sizes[0])
    ):
        size = sizes.pop(0)
        found = _all_of_size(players, size)
        left -= len(found)
        weight = _weight(players, size) / len(found)
        listed.append(Pairs(found, _filled(len(found), weight), torch.zeros(len(found), dtype=torch.bool)))
    if sizes:
        listed.append(_drawn(players, sizes, left, generator))
    every = [
        torch.cat(parts) for parts in zip(*[(one.coalitions, one.weights, one.drawn) for one in listed], strict=True)
    ]
    order = torch.randperm(len(every[0]), generator=generator)
    return Pairs(*[part[order] for part in every])


def kernel_fit(pairs: Pairs, worths: Float[Tensor, "p 2"], nothing: float, everything: float) -> Fit:
    """Return the values that fit the worths best among those that add up to everything - nothing, exactly.

    Values are equal shares plus a part that adds up to zero. A pair says about that part only the difference of its two worths, so least
    squares over coalitions are least squares over pairs. Where the pairs do not settle it, it is the smallest that fits.

    Args:
        pairs: the coalitions.
        worths: of each coalition and of its complement.
        nothing: worth of nobody.
        everything: worth of all players together.
    """
    held = pairs.coalitions.double()  # (p, n)
    players, share = held.shape[1], (everything - nothing) / held.shape[1]
    sizes = held.sum(dim=1)
    x = held - sizes[:, None] / players  # adds up to zero in each row
    y = (worths[:, 0] - worths[:, 1] - (2 * sizes - players) * share) / 2
    inverse, rank = _inverse(x.T @ (pairs.weights[:, None] * x))
    part = inverse @ (x.T @ (pairs.weights * y))
    values = share + part - part.mean()
    terms = (pairs.weights * (y - x @ part))[:, None] * x
    leverage = pairs.weights * ((x @ inverse) * x).sum(dim=1)
    error = _error(inverse, terms[pairs.drawn], leverage[pairs.drawn])
    error = error if rank == players - 1 else torch.full_like(error, math.inf)
    guessed = torch.stack([held @ values, (1 - held) @ values], dim=1) + nothing
    return Fit(values, error, weighted_r2(worths, guessed, pairs.weights[:, None].expand_as(worths)))


def linear_fit(
    coalitions: Bool[Tensor, "m n"], worths: Float[Tensor, " m"], weights: Float[Tensor, " m"], ridge: float
) -> Fit:
    """Return the coefficients of a weighted ridge regression of the worths on who is in the coalition, with a free intercept.

    values = argmin sum_m weight (worth - intercept - z . values)^2 + ridge |values|^2; the smallest of them where they are not settled.
    """
    held, share = coalitions.double(), weights / weights.sum()
    x, y = held - share @ held, worths - share @ worths
    gram = x.T @ (weights[:, None] * x)
    inverse, rank = _inverse(gram + ridge * torch.eye(len(gram), dtype=gram.dtype))
    values = inverse @ (x.T @ (weights * y))
    leverage = weights * ((x @ inverse) * x).sum(dim=1) + share
    error = _error(inverse, (weights * (y - x @ values))[:, None] * x, leverage)
    settled = rank == len(gram) and len(worths) > len(gram)
    return Fit(values, error if settled else torch.full_like(error, math.inf), weighted_r2(y, x @ values, weights))


def weighted_r2(worths: Float[Tensor, "*m"], guessed: Float[Tensor, "*m"], weights: Float[Tensor, "*m"]) -> float:
    """Return the share of the weighted variance of worths that guesses explain: R², below 0 where their mean would guess better; 1 where the worths do not differ, for there is nothing to explain."""
    mean = (weights * worths).sum() / weights.sum()
    around = float((weights * (worths - mean).square()).sum())
    missed = float((weights * (worths - guessed).square()).sum())
    return 1 - missed / around if around > 1e-24 * float((weights * worths.square()).sum()) else 1.0


def orders(players: int, count: int, paired: bool, generator: Generator) -> Iterator[Int[Tensor, " n"]]:
    """Yield orders of the players, drawn at random; each second one is the one before backwards, if paired."""
    for _ in range(count // 2 if paired else count):
        order = torch.randperm(players, generator=generator)
        yield order
        if paired:
            yield order.flip(0)


def growing(order: Int[Tensor, " n"]) -> Bool[Tensor, "n-1 n"]:
    """Return the coalitions as the players join in this order, without that of nobody and that of all."""
    rank = order.argsort()
    return rank < torch.arange(1, len(order))[:, None]


def every_coalition(players: int) -> Iterator[Bool[Tensor, " n"]]:
    """Yield every coalition but that of all, nobody first."""
    bits = torch.arange(players)
    for number in range((1 << players) - 1):
        yield (number >> bits) & 1 > 0


def joining_weights(players: int) -> Float[Tensor, " n"]:
    """Return by the size s of a coalition the share s! (n - s - 1)! / n! of the orders in which a given player joins just it."""
    return torch.tensor([1 / (players * math.comb(players - 1, size)) for size in range(players)], dtype=torch.float64)


def halves(places: Float[Tensor, "k d"]) -> Bool[Tensor, " k"]:
    """Return which of at least two points lie in the first half, cut across the axis along which they spread the most.

    The cut is between two different coordinates, as near as possible to equal numbers on both sides; points that all lie in one place
    are cut in the order in which they come.
    """
    axis = int((places.amax(dim=0) - places.amin(dim=0)).argmax())
    along = places[:, axis]
    ordered = along.sort().values
    cuts = (ordered[1:] > ordered[:-1]).nonzero()[:, 0] + 1
    if not len(cuts):
        return torch.arange(len(places)) < len(places) // 2
    cut = cuts[(2 * cuts - len(places)).abs().argmin()]
    return along < ordered[cut]


def _weight(players: int, size: int) -> float:
    """Return the kernel's weight of all pairs of one size together."""
    twice = 1 if 2 * size == players else 2
    return twice * (players - 1) / (size * (players - size))


def _pairs_of(players: int, size: int) -> int:
    subsets = math.comb(players, size)
    return subsets // 2 if 2 * size == players else subsets


def _pairs_left(players: int, sizes: list[int]) -> int:
    return sum(_pairs_of(players, size) for size in sizes)


def _share(players: int, sizes: list[int]) -> float:
    """Return the share of the first size in the weight of these sizes."""
    return _weight(players, sizes[0]) / sum(_weight(players, size) for size in sizes)


def _filled(count: int, value: float) -> Float[Tensor, " p"]:
    return torch.full((count,), value, dtype=torch.float64)


def _all_of_size(players: int, size: int) -> Bool[Tensor, "p n"]:
    """Return all coalitions of a size; only one of each pair of complements where these are of the same size."""
    chosen = list(combinations(range(players), size))[: _pairs_of(players, size)]
    found = torch.zeros(len(chosen), players, dtype=torch.bool)
    return found.scatter_(1, torch.tensor(chosen), value=True)


def _drawn(players: int, sizes: list[int], count: int, generator: Generator) -> Pairs:
    """Draw pairs of these sizes; each carries the same part of their weight."""
    weights = torch.tensor([_weight(players, size) for size in sizes], dtype=torch.float64)
    which = torch.tensor(sizes)[torch.multinomial(weights, count, replacement=True, generator=generator)]
    ranks = torch.rand(count, players, generator=generator).argsort(dim=1).argsort(dim=1)
    every = torch.ones(count, dtype=torch.bool)
    return Pairs(ranks < which[:, None], _filled(count, float(weights.sum()) / count), every)


def _inverse(gram: Float[Tensor, "n n"]) -> tuple[Float[Tensor, "n n"], int]:
    """Return the pseudoinverse of a symmetric matrix without negative eigenvalues, and its rank."""
    eigenvalues, vectors = torch.linalg.eigh(gram)
    kept = eigenvalues > NEGLIGIBLE * eigenvalues[-1].clamp_min(1e-300)
    inverse = torch.where(kept, 1 / eigenvalues, 0.0)
    return (vectors * inverse) @ vectors.T, int(kept.sum())


def _error(
    inverse: Float[Tensor, "n n"], terms: Float[Tensor, "m n"], leverage: Float[Tensor, " m"]
) -> Float[Tensor, " n"]:
    """Return standard errors from the terms of the normal equations that were drawn at random, right whatever the noise is like.

    Source: White 1980, A Heteroskedasticity-Consistent Covariance Matrix Estimator, doi 10.2307/1912934; the correction for fitted
        parameters: MacKinnon & White 1985, doi 10.1016/0304-4076(85)90158-7. Differs in: terms that were not drawn are left out.
    """
    if not len(terms):
        return torch.zeros_like(inverse[0])
    free = len(terms) - float(leverage.sum())
    if free < 0.5 or len(terms) < 2:
        return torch.full_like(inverse[0], math.inf)
    spread = (terms - terms.mean(dim=0)) @ inverse
    return (spread.square().sum(dim=0) * len(terms) / free).sqrt()
