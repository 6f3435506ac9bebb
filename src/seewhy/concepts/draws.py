"""Concepts of random pictures: what chance alone makes of as many of them."""

import math
from collections.abc import Iterator
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

LEVEL = 0.05
"""How often a concept of random pictures may be called significant."""
LEAST = 999
"""Random concepts that are drawn at least."""
MOST = 20_000
_AT_ONCE = 1 << 20


def draws_for(tests: int, most: int = MOST) -> int:
    """Return how many random concepts are drawn for so many tests: enough that the least of their corrected p-values is half the level."""
    return min(most, max(LEAST, math.ceil(2 * tests / LEVEL) - 1))


def least_chance(with_it: int, without: int, draws: int) -> float:
    """Return the smallest p-value there can be: one of all draws, or of all ways of choosing so many pictures of all."""
    return max(1 / (draws + 1), 1 / math.comb(with_it + without, with_it))


def subsets(chosen: int, total: int, draws: int, seed: int) -> Iterator[Float[Tensor, "part total"]]:
    """Yield, some draws at a time, which of the pictures make up each random concept: 1 for those in it, else 0."""
    for places in torch.split(members(chosen, total, draws, seed), max(1, _AT_ONCE // total)):
        yield torch.zeros(len(places), total, dtype=torch.float64).scatter_(1, places, 1.0)


@lru_cache(maxsize=4)
def members(chosen: int, total: int, draws: int, seed: int) -> Int[Tensor, "draws chosen"]:
    """Return the pictures of each random concept; the same for all classes and concepts with as many pictures, so drawn once."""
    generator, rows = Generator().manual_seed(seed), max(1, _AT_ONCE // total)
    parts = [min(rows, draws - begin) for begin in range(0, draws, rows)]
    return torch.cat(
        [torch.rand(part, total, generator=generator).topk(chosen, dim=1, sorted=False).indices for part in parts]
    )


def chances(found: Float[Tensor, " k"], random: Float[Tensor, "draws k"]) -> Float[Tensor, " k"]:
    """Return how likely random concepts reach each value: its rank among them, itself counted in.

    If the pictures of a concept are drawn like the others, no rank is likelier than another, and a p-value of at most a comes up with a chance of at most
    a, whatever the distribution and however pictures are shared.

    Source: Phipson and Smyth 2010, Permutation p-values should never be zero, arXiv 1603.05766.
    """
    reached = (random >= found * (1 - 1e-9) - 1e-300).sum(dim=0)
    return (reached + 1).double() / (len(random) + 1)


def resampled(count: int, repeats: int, generator: Generator) -> Float[Tensor, "r n"]:
    """Return how often each of n pictures comes up in each repeat: n drawn with replacement."""
    cases = torch.randint(count, (repeats, count), generator=generator)
    return torch.zeros(repeats, count, dtype=torch.float64).scatter_add_(
        1, cases, torch.ones(cases.shape, dtype=torch.float64)
    )
