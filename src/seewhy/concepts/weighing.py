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
ORDERS = 4
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
    places = _places(replay, seed)
    chosen = replay.part(places)
    found = alone(chosen, seed)
    own = chosen.classes
    falls = found.falls.double().gather(2, own[:, None, None].expand(-1, found.falls.shape[1], 1))[..., 0]
    if by == "ablation":
        values = falls
    elif found.additive:
        values = falls if by == "shapley" else _shares(falls)
    else:
        rule = _shapley if by == "shapley" else _sobol
        rows = []
        for picture in range(len(places)):
            rows.append(rule(chosen, picture, seed, int(places[picture])))
            if progress is not None:
                progress(picture + 1, len(places))
        values = torch.stack(rows)
    return Weighed(places, own, by, values, found)


def _places(replay: ConceptReplay, seed: int) -> Int[Tensor, " n"]:
    """Return the pictures that are weighed, in their order."""
    features = replay.features
    most = min(PICTURES, max(16, NUMBERS // (len(replay.dictionary) * features.outputs.shape[1])))
    if len(features) <= most:
        return torch.arange(len(features))
    drawn = torch.randperm(len(features), generator=Generator().manual_seed(seed))[:most]
    return drawn.sort().values


def _shares(falls: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Return the shares of the variance of a sum: of independent terms m_j e_j, all m_j alike."""
    squares = falls.square()
    return squares / squares.sum(dim=1, keepdim=True).clamp_min(1e-30)


def _shapley(replay: ConceptReplay, picture: int, seed: int, place: int) -> Float[Tensor, " k"]:
    """Return the mean part of each concept over pairs of random orders of one picture; they are drawn from its number."""
    count = len(replay.dictionary)
    generator = Generator().manual_seed(seed + 7919 * place)
    walks = list(orders(count, ORDERS, paired=True, generator=generator))
    steps = torch.arange(count + 1)
    masks = torch.cat(
        [(walk.argsort()[None] >= steps[:, None]).float() for walk in walks]
    )  # the first of an order go first
    levels = replay.scores(picture, masks).view(len(walks), count + 1)
    drops = -levels.diff(dim=1)
    return torch.stack([drop[walk.argsort()] for drop, walk in zip(drops, walks, strict=True)]).mean(dim=0)


def _sobol(replay: ConceptReplay, picture: int, seed: int, place: int) -> Float[Tensor, " k"]:
    """Return the total-order index of each concept of one picture."""
    count = len(replay.dictionary)
    pairs = list(islice(sobol_pairs(count, Generator().manual_seed(seed + 7919 * place)), DESIGNS))
    base, other = (torch.stack(rows) for rows in zip(*pairs, strict=True))  # (designs, k)
    swapped = torch.where(torch.eye(count, dtype=torch.bool)[None], other[:, None], base[:, None])  # (designs, k, k)
    masks = torch.cat([base, other, swapped.flatten(0, 1)])
    scores = replay.scores(picture, masks)
    first, second, mixed = scores.split([DESIGNS, DESIGNS, DESIGNS * count])
    found, _ = total_order(first[:, None], second[:, None], mixed.view(DESIGNS, count, 1))
    return found[0]
