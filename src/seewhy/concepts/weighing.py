"""How much each concept counts, picture by picture: taken away alone, Shapley values, total-order Sobol indices. From cached activations."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from seewhy.concepts.replay import Alone, ConceptReplay, alone
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import orders
from seewhy.ops.masks import sobol_pairs
from seewhy.ops.sensitivity import total_order

Rule = Literal["shapley", "sobol", "ablation"]
Progress = Callable[[int, int], None]
"""Is told how many pictures are weighed, of how many."""

PICTURES = 512
"""Pictures that are weighed; of more, so many are drawn."""
NUMBERS = 1 << 26
"""Effects that are kept at most; there are fewer pictures where they are of many classes."""
SAMPLED = {"shapley": 128, "sobol": 48}
"""The same where effects do not add up, and each picture takes many answers: about 2 k of them for k concepts, and 32 (k + 2)."""
ORDERS = 2
"""Random orders for each picture, in pairs of one and the same backwards."""
DESIGNS = 32
"""Pairs of random masks for each picture, by Sobol."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """What each concept does, picture by picture.

    Attributes:
        places: numbers of the pictures among the features (n,).
        classes: the class whose score counts, of each (n,).
        by: the rule.
        values: by that rule (n, k): of "shapley" and "ablation" the fall of the score, positive speaks for the class; of "sobol" the share of
            the score's variance.
        alone: what taking each away does to all answers.
    """

    places: Int[Tensor, " n"]
    classes: Int[Tensor, " n"]
    by: Rule
    values: Float[Tensor, "n k"]
    alone: Alone

    @property
    def sizes(self) -> Float[Tensor, "n k"]:
        """By what concepts are ranked: the magnitude of the values."""
        return self.values.abs()

    @property
    def exact(self) -> bool:
        """Whether the values are exact, and not an estimate from samples."""
        return self.by == "ablation" or self.alone.additive


def weighed(replay: ConceptReplay, by: Rule = "shapley", seed: int = 0, progress: Progress | None = None) -> Weighed:
    """Return how much each concept counts for the class of each picture.

    Args:
        replay: of the pictures; of more than `PICTURES`, so many are drawn at random.
        by: "ablation": how far the score falls when the concept is taken away alone. "shapley": its mean part of the fall over the orders in which
            all can go; for each picture they add up to f(all) - f(none). "sobol": the share of the score's variance that would be left if all
            codes but its own were known, where each is multiplied by a number drawn from 0 to 1.
        seed: of everything that is drawn.
        progress: is told how far it is.

    Where the effects of concepts add up, which is tried, all three are known from taking each away alone, and nothing is sampled: the Shapley value
    is the fall e_j, the Sobol index e_j^2 / sum of e^2.

    Raises:
        ConfigError: no such rule.

    Source: Fel et al. 2023 (CRAFT), arXiv 2211.10154, section 3.3 (Sobol indices of concepts by masks on their codes); Castro et al. 2009, doi
        10.1016/j.cor.2008.04.004 (Shapley values by sampling). Differs in: what the dictionary leaves unexplained stays in the activation, so
        that f(all) is the network's own answer.
    """
    if by not in get_args(Rule):
        raise ConfigError(f"concepts are weighed by {', '.join(map(repr, get_args(Rule)))}, got {by!r}")
    places = drawn_places(len(replay.features), _most(replay), seed)
    found = alone(replay.part(places), seed)
    if by != "ablation" and not found.additive:
        fewer = drawn_places(len(places), SAMPLED[by], seed)
        places, found = places[fewer], found.part(fewer)
    chosen = replay.part(places)
    own = chosen.classes
    falls = found.falls.double().gather(2, own[:, None, None].expand(-1, found.falls.shape[1], 1))[..., 0]
    if by == "ablation" or (by == "shapley" and found.additive):
        return Weighed(places, own, by, falls, found)
    if found.additive:
        return Weighed(places, own, by, _shares(falls), found)
    ends = torch.stack([found.whole, found.end], dim=1).double()  # (n, 2, classes)
    own_ends = ends.gather(2, own[:, None, None].expand(-1, 2, 1))[..., 0]
    rows = []
    for row, place in enumerate(places.tolist()):
        generator = Generator().manual_seed(
            seed + 7919 * place
        )  # what is drawn for a picture depends on its number alone
        one = chosen.part(torch.tensor([row]))
        rows.append(_shapley(one, own_ends[row], generator) if by == "shapley" else _sobol(one, generator))
        if progress is not None:
            progress(row + 1, len(places))
    return Weighed(places, own, by, torch.stack(rows), found)


def _most(replay: ConceptReplay) -> int:
    """Return how many pictures are weighed at most."""
    return min(PICTURES, max(16, NUMBERS // (len(replay.dictionary) * replay.features.outputs.shape[1])))


def drawn_places(count: int, most: int, seed: int) -> Int[Tensor, " n"]:
    """Return the numbers of all of so many pictures, or of so many of them drawn at random, in their order."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count, generator=Generator().manual_seed(seed))[:most].sort().values


def _shares(falls: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Return the shares of the variance of a sum: of independent terms m_j e_j, all m_j alike."""
    squares = falls.square()
    return squares / squares.sum(dim=1, keepdim=True).clamp_min(1e-30)


def _shapley(replay: ConceptReplay, ends: Float[Tensor, " 2"], generator: Generator) -> Float[Tensor, " k"]:
    """Return the mean part of each concept of one picture, over pairs of random orders; `ends` are f(all) and f(none)."""
    count = len(replay.dictionary)
    walks = list(orders(count, ORDERS, paired=True, generator=generator))
    ranks = torch.stack([walk.argsort() for walk in walks])
    between = torch.arange(1, count)  # so many of an order are gone
    masks = (ranks[:, None] >= between[:, None]).float().flatten(0, 1)
    levels = replay.scores(masks[None]).view(len(walks), count - 1) if count > 1 else ends.new_zeros(len(walks), 0)
    whole, nothing = (end.expand(len(walks), 1) for end in ends)
    drops = -torch.cat([whole, levels, nothing], dim=1).diff(dim=1)  # of the first of an order, the second, ...
    return drops.gather(1, ranks).mean(dim=0)


def _sobol(replay: ConceptReplay, generator: Generator) -> Float[Tensor, " k"]:
    """Return the total-order index of each concept of one picture."""
    count = len(replay.dictionary)
    pairs = list(islice(sobol_pairs(count, generator), DESIGNS))
    base, other = (torch.stack(rows) for rows in zip(*pairs, strict=True))  # (designs, k)
    swapped = torch.where(torch.eye(count, dtype=torch.bool), other[:, None], base[:, None])  # (designs, k, k)
    scores = replay.scores(torch.cat([base, other, swapped.flatten(0, 1)])[None])[0]
    first, second, mixed = torch.split(scores, [DESIGNS, DESIGNS, DESIGNS * count])
    found, _ = total_order(first[:, None], second[:, None], mixed.view(DESIGNS, count, 1))
    return found[0]
