"""Shapley sampling: what each segment adds when segments join in random order."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.budget import Allowance
from seewhy.core.game import Game, Shares
from seewhy.core.method import Source
from seewhy.core.perturbing import SegmentMethod, stopped
from seewhy.core.registry import register
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import every_coalition, growing, joining_weights, orders

FEW, MOST = 10, 20
"""With at most this many segments values are exact unless told otherwise; with more than this many they cannot be."""


@register
@dataclass(frozen=True)
class ShapleySampling(SegmentMethod):
    """Let the segments join one by one in random order, and give each the mean of what it adds when it joins.

    map = phi_i / pixels of segment i, phi_i = mean over orders of score(those before i, and i) - score(those before i). Over all orders
    that is the Shapley value: exactly sum over S without i of |S|! (n - |S| - 1)! / n! (score(S and i) - score(S)).

    Args:
        fill: what is shown where a segment has not joined.
        budget: the most that may be spent; the mean is then over the orders that were completed, at least one.
        segments: "slic" (by colour and place), "grid" (equal boxes), or a map of integers of the size of the network's input.
        count: about how many segments, where they are made.
        samples: orders, at least 1; each takes a pass per segment.
        antithetic: draw orders in pairs, one and the same backwards: what one misses by joining early the other makes up for.
        exact: ask all 2^n coalitions instead; None does so where there are at most 10 segments.

    Returns:
        Heatmap (b, *spatial) at the input's resolution, in units of the score per pixel; positive speaks for the target. The sum over a
        segment is its Shapley value, the sum of all is score(x) - score(nothing), whatever the number of orders. With its standard error.

    Raises:
        ConfigError: no samples, an odd number for pairs, or a budget that does not pay for one order.
        ShapeError: a segment map of another size than the input's.
        MethodError: the image is a single segment.

    Limits: the error falls with the root of the orders; for the same passes Kernel SHAP is usually nearer. Images of few segments look like
        no photo, and another fill gives other values.
    Source: Castro et al. 2009, Polynomial calculation of the Shapley value based on sampling, doi 10.1016/j.cor.2008.04.004, algorithm 1;
        Shapley 1953, A value for n-person games, equation 12. Differs in: antithetic orders (Mitchell et al. 2022, arXiv 2104.12199,
        section 4).
    """

    samples: int = 20
    antithetic: bool = True
    exact: bool | None = None

    key = "shapley-sampling"
    title = "Shapley Sampling"
    complete = True
    source = Source(
        "Castro et al. 2009, Polynomial calculation of the Shapley value based on sampling, doi 10.1016/j.cor.2008.04.004",
        equation="algorithm 1",
    )
    merit = "Shapley values without a model: unbiased, add up, with standard errors; exact for ten segments"
    caution = "many passes: look at the standard error before you compare two segments"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 1 or (self.antithetic and self.samples % 2):
            raise ConfigError(
                f"{self.key} wants at least 1 order, and an even number where orders are antithetic, got {self.samples}"
            )

    def coalitions_asked(self, segments: Int[Tensor, "*spatial"]) -> int:
        """Return nothing shown, and what joins in all orders; or all coalitions."""
        players = int(segments.max()) + 1
        return 2**players - 1 if self._all_of(players) else 1 + self.samples * (players - 1)

    def shares(self, game: Game) -> Shares:
        """Return the Shapley values."""
        return self._exact(game) if self._all_of(game.players) else self._sampled(game)

    def _all_of(self, players: int) -> bool:
        """Say whether all coalitions of so many players are asked."""
        if self.exact and players > MOST:
            raise ConfigError(
                f"exact values of {players} segments take 2^{players} passes; take at most {MOST} segments, or exact=False"
            )
        return players <= FEW and self.budget is None if self.exact is None else self.exact

    def _exact(self, game: Game) -> Shares:
        """Return the values from all coalitions, weighted by the share of orders in which they meet just them."""
        joins = joining_weights(game.players)
        values = torch.full((game.players,), game.full / game.players, dtype=torch.float64)  # all of them, together
        nothing = None
        asked, known = every_coalition(game.players), every_coalition(game.players)
        for worth, inside in zip(game.worths(self.affordable(asked)), known, strict=False):
            nothing = worth if nothing is None else nothing
            size = int(inside.sum())
            values += worth * torch.where(inside, joins[size - 1], -joins[size])
        if next(known, None) is not None:
            raise ConfigError(
                f"the budget of {self.budget!r} ended before all coalitions were asked; exact=False takes any"
            )
        return Shares(values, game.full - (nothing or 0.0), torch.zeros_like(values))

    def _sampled(self, game: Game) -> Shares:
        """Return the mean over orders, or over pairs of orders, and its standard error."""
        group = 2 if self.antithetic else 1
        least = 1 + group * (game.players - 1)
        if (Allowance.of(self.budget).forwards or least) < least:
            raise ConfigError(
                f"{group} orders of {game.players} segments take {least} forwards; the budget is {self.budget}"
            )
        drawn = orders(game.players, self.samples, self.antithetic, game.generator())
        again = orders(game.players, self.samples, self.antithetic, game.generator())
        asked = chain([game.nobody()], (who for order in drawn for who in growing(order)))
        worths = game.worths(self.affordable(asked, least))
        nothing = next(worths)
        count, mean = 0, torch.zeros(game.players, dtype=torch.float64)
        spread = torch.zeros_like(mean)
        for count, added in enumerate(_groups(again, worths, nothing, game.full, group), 1):
            away = added - mean
            mean = mean + away / count
            spread = spread + away * (added - mean)
        error = (spread / (count * (count - 1))).sqrt() if count > 1 else torch.full_like(mean, torch.inf)
        return Shares(mean, game.full - nothing, error, notes=stopped(group * count, self.samples, "orders"))


def _groups(
    drawn: Iterator[Int[Tensor, " n"]], worths: Iterator[float], nothing: float, everything: float, group: int
) -> Iterator[Float[Tensor, " n"]]:
    """Yield the mean of what each player adds, over groups of orders, as long as worths last for a whole one."""
    while True:
        added = []
        for order in islice(drawn, group):
            steps = list(islice(worths, len(order) - 1))
            if len(steps) < len(order) - 1:
                return
            levels = torch.tensor([nothing, *steps, everything], dtype=torch.float64)
            added.append(levels.diff()[order.argsort()])
        if not added:
            return
        yield torch.stack(added).mean(dim=0)
