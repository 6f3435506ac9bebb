"""Shapley values of units, picture by picture: what each adds, on average over the orders in which they can go."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from seewhy.contributions.effects import Asked, Effects, Outcome
from seewhy.core.budget import Allowance, Budget
from seewhy.errors import ConfigError
from seewhy.ops.coalitions import every_coalition, joining_weights, orders


@dataclass(frozen=True)
class Shapley:
    """How Shapley values are found.

    phi_j = mean over orders of v(those that are still there, and j) - v(those that are still there): the units go one after the other until
    none is left. Their sum is v(all) - v(none), whatever the number of orders. v is the score, and minus the loss. Where all coalitions
    cost no more than the orders, all are asked, and the values are exact.

    Args:
        samples: orders, in pairs of one and the same backwards: what one misses by going early the other makes up for. Even.
        truncation: the way down an order ends where the score has come this near to that of nothing, as a share of all that there is to
            fall; the units that are left share the rest equally. 0 never ends before the last unit.
        budget: the most that may be spent on a picture: answers, or seconds; what is found then is the mean over the orders that were
            completed, at least one pair.

    Source: Castro et al. 2009, doi 10.1016/j.cor.2008.04.004, algorithm 1; truncation: Ghorbani & Zou 2020, Neuron Shapley, arXiv 2002.09815,
        section 3.1. Differs in: antithetic orders (Mitchell et al. 2022, arXiv 2104.12199, section 4); units below the truncation share what
        is left, so that values add up, instead of getting nothing; no bandit, so every unit is measured equally well.
    """

    samples: int = 20
    truncation: float = 0.0
    budget: Budget = None

    def __post_init__(self) -> None:
        Allowance.of(self.budget)
        if self.samples < 2 or self.samples % 2:
            raise ConfigError(f"orders come in pairs, so their number is even and at least 2; got {self.samples}")
        if not 0 <= self.truncation < 1:
            raise ConfigError(f"the truncation is a share from 0 up to, but not including, 1; got {self.truncation}")

    def exact(self, count: int) -> bool:
        """Say whether all coalitions of so many units are asked."""
        return count <= 20 and 1 << count <= self.samples * count

    def values(self, asked: Asked, seed: int) -> "Values":
        """Return the values of one picture."""
        count = len(asked.units.names)
        if self.exact(count):
            return _exact(asked, count)
        return _Walks(self, asked, count, Generator().manual_seed(seed)).values()


@dataclass(frozen=True, eq=False)
class Values:
    """The values of one picture.

    Attributes:
        score: of each unit (m,): its part of the score.
        loss: likewise of minus the loss.
        error: standard errors of both (2, m); 0 where they are exact, infinite for a single pair of orders.
        fall: v(all) - v(none), of the score.
        end: whether the class is kept with all units gone.
        orders: how many were walked to their end; None where the values are exact.
    """

    score: Float[Tensor, " m"]
    loss: Float[Tensor, " m"]
    error: Float[Tensor, "2 m"]
    fall: float
    end: Float[Tensor, ""]
    orders: int | None = None


def _worth(outcome: Outcome) -> Float[Tensor, " 2"]:
    """Return score and minus the loss of one picture."""
    return torch.stack([outcome.score[0], -outcome.loss[0]])


def _exact(asked: Asked, count: int) -> Values:
    """Return the values from all coalitions, weighted by the share of orders in which they meet just them."""
    joins = joining_weights(count)
    full = _worth(asked.whole())
    values = full[:, None].expand(2, count) / count
    outcomes = asked.outcomes(~inside for inside in every_coalition(count))
    nothing: Outcome | None = None
    for outcome, inside in zip(outcomes, every_coalition(count), strict=True):
        worth, size = _worth(outcome), int(inside.sum())
        nothing = nothing or outcome  # nobody comes first
        values = values + worth[:, None] * torch.where(inside, joins[size - 1], -joins[size])
    end = asked.whole() if nothing is None else nothing
    exact = torch.zeros(2, count, dtype=torch.float64)
    return Values(values[0], values[1], exact, float(full[0] - end.score[0]), end.kept[0])


@dataclass(eq=False)
class _Walks:
    """Walks down random orders, all in one stream of questions: a walk that has been truncated is not asked about any more."""

    plan: Shapley
    asked: Asked
    count: int
    generator: Generator
    over: set[int] = field(default_factory=set)
    sent: deque[int] = field(default_factory=deque)

    def values(self) -> Values:
        """Return the mean over pairs of orders."""
        walks = list(orders(self.count, self.plan.samples, paired=True, generator=self.generator))
        spent = Allowance.of(self.plan.budget).spend(self._gone(walks), 2 * self.count - 1)
        outcomes = self.asked.outcomes(spent)
        full, end = _worth(self.asked.whole()), next(outcomes)
        nothing = _worth(end)
        levels = [[full] for _ in walks]
        for outcome in outcomes:
            walk = self.sent.popleft()
            levels[walk].append(_worth(outcome))
            if self._settled(levels[walk][-1], full, nothing):
                self.over.add(walk)
        done = [self._ended(level, full, nothing) for level in levels]
        pairs = next((p for p in range(len(walks) // 2) if None in done[2 * p : 2 * p + 2]), len(walks) // 2)
        whole = [row for row in done[: 2 * pairs] if row is not None]
        return self._mean(whole, walks, float((full - nothing)[0]), end)

    def _gone(self, walks: list[Int[Tensor, " m"]]) -> Iterator[Bool[Tensor, " m"]]:
        """Yield all units gone, and then, order by order, the first unit, the first two, up to all but one."""
        yield torch.ones(self.count, dtype=torch.bool)
        for number, order in enumerate(walks):
            rank = order.argsort()
            for step in range(1, self.count):
                if number in self.over:
                    break
                self.sent.append(number)
                yield rank < step

    def _settled(self, level: Tensor, full: Tensor, nothing: Tensor) -> bool:
        """Say whether so little of the score is left to fall that the walk may end."""
        return bool((level - nothing)[0].abs() <= self.plan.truncation * (full - nothing)[0].abs()) and (
            self.plan.truncation > 0
        )

    def _ended(self, level: list[Tensor], full: Tensor, nothing: Tensor) -> Float[Tensor, "2 m"] | None:
        """Return what each step of a walk took away, up to where it settled; None where the walk was not completed."""
        settled = next((at for at, one in enumerate(level) if at and self._settled(one, full, nothing)), None)
        if settled is None and len(level) < self.count:
            return None
        known = torch.stack(level[: (settled or self.count - 1) + 1])  # (steps + 1, 2)
        left = self.count + 1 - len(known)  # units that share what is left
        rest = ((known[-1] - nothing) / left).expand(left, 2)
        return torch.cat([-known.diff(dim=0), rest]).T

    def _mean(
        self, drops: list[Float[Tensor, "2 m"]], walks: list[Int[Tensor, " m"]], fall: float, end: Outcome
    ) -> Values:
        if not drops:
            raise ConfigError(
                f"two orders of {self.count} units take {2 * self.count - 1} answers; the budget of {self.plan.budget!r} pays for fewer"
            )
        added = [drop[:, order.argsort()] for drop, order in zip(drops, walks, strict=False)]
        pairs = (torch.stack(added[::2]) + torch.stack(added[1::2])) / 2  # (pairs, 2, m)
        mean = pairs.mean(dim=0)
        error = torch.full_like(mean, torch.inf)
        if len(pairs) > 1:
            error = pairs.std(dim=0) / len(pairs) ** 0.5
        return Values(mean[0], mean[1], error, fall, end.kept[0], len(drops))


def shapley_effects(asked: Asked, place: int, plan: Shapley, seed: int) -> tuple[Effects, Values]:
    """Return the Shapley values of one picture in the form of effects, and with their standard errors.

    Args:
        asked: one picture.
        place: its number in the data; with the seed it says which orders are drawn, so that each picture has orders of its own.
        plan: how they are found.
        seed: of the orders.
    """
    values = plan.values(asked, seed + 7919 * place)
    whole = asked.whole()
    nothing = torch.full_like(values.score[None], torch.nan)
    found = Effects(
        torch.tensor([place]),
        score=values.score[None],
        magnitude=values.score[None].abs(),
        loss=values.loss[None],
        kept=nothing,
        labels=asked.classes.cpu(),
        known=asked.labels.cpu() >= 0,
        whole=whole.score,
        all_gone=torch.tensor([values.fall], dtype=torch.float64),
        right=whole.kept,
        end=values.end[None],
        sizes=asked.sizes(),
        areas=asked.areas(),
    )
    return found, values
