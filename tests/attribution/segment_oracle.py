"""What the tests of the segment methods share: segment maps, games played by hand, values per segment."""

import math
from collections.abc import Callable, Iterable
from itertools import permutations

import torch
from torch import Tensor, nn

import seewhy
from seewhy.core.explanation import Explanation

ROWS = torch.arange(8)[:, None].expand(8, 8)
FIVE = torch.tensor([0, 0, 1, 1, 1, 2, 3, 4])[ROWS].contiguous()
"""Five bands of rows."""
TWELVE = (ROWS // 2) * 3 + (torch.arange(8) // 3)[None]
"""Twelve boxes."""


def explained(network: nn.Module, images: Tensor, key: str, *, target=1, seed=0, rows=32, **settings) -> Explanation:
    """Explain with black at zero and white at one in the network's units, and zero where something is hidden.

    A fixed number of rows a pass rounds the same way each time, and is fast for a small network.
    """
    model = seewhy.Model(network, mean=0.0, std=1.0)
    settings = {"fill": "zero"} | settings
    return seewhy.Session(model, seed=seed, rows=rows).explain(images, target, seewhy.method(key, **settings))


def per_segment(heatmap: Tensor, segments: Tensor) -> Tensor:
    """Return the sums over segments (b, n)."""
    return torch.stack([heatmap[:, segments == n].sum(dim=1) for n in range(int(segments.max()) + 1)], dim=1)


def game(network: nn.Module, image: Tensor, segments: Tensor, fill: Tensor, target: int = 1) -> Callable[..., float]:
    """Return the score of a coalition, shown alone."""
    known: dict[frozenset[int], float] = {}

    def worth(coalition: Iterable[int]) -> float:
        who = frozenset(coalition)
        if who not in known:
            shown = torch.isin(segments, torch.tensor(sorted(who), dtype=torch.long))
            with torch.no_grad():
                known[who] = float(network(torch.where(shown, image, fill)[None])[0, target])
        return known[who]

    return worth


def mean_over(orders: Iterable[tuple[int, ...]], worth: Callable[..., float], players: int) -> Tensor:
    """Return what each player adds when it joins, in the mean over orders."""
    added, count = [[] for _ in range(players)], 0
    for order in orders:
        count += 1
        for place, player in enumerate(order):
            added[player].append(worth(order[: place + 1]) - worth(order[:place]))
    return torch.tensor([math.fsum(one) / count for one in added], dtype=torch.float64)


def shapley(worth: Callable[..., float], players: int) -> Tensor:
    """Return the Shapley values: the mean over all orders."""
    return mean_over(permutations(range(players)), worth, players)
