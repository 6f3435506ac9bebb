"""Logistic regression on a few numbers, found one after the other."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

PENALTY = 1e-3
"""Of the squared weights, beside the mean log-loss."""
STEPS = 12
"""Of Newton's method at most."""
ENOUGH = 1e-5
"""Largest step, in deviations of what is read, at which it has arrived."""


def sparse_logistic(
    x: Float[Tensor, "n m"], target: Float[Tensor, " n"], weight: Float[Tensor, " n"], sizes: Sequence[int]
) -> Iterator[tuple[Float[Tensor, " m"], Float[Tensor, ""]]]:
    """Yield weights and bias for a growing number of weights that are not zero.

    The number along which the mean log-loss falls most steeply joins, then all weights are fitted anew by Newton's method.

    Args:
        x: what is read, of mean about 0 and deviation about 1; a column of zeros is never taken.
        target: probability of "yes", from 0 to 1.
        weight: of each row, at least 0.
        sizes: how many weights, growing.

    Source: Pati et al. 1993, Lozano et al. 2011 (orthogonal matching pursuit, for logistic loss).
    """
    share, target = (weight / weight.sum()).double(), target.double()
    columns = x.T.contiguous()  # single precision is enough to find who joins, and what takes long is to read them
    free = (columns != 0).any(dim=1)
    used: list[int] = []
    data, values = (
        torch.ones(len(x), 1, dtype=torch.float64),
        torch.zeros(1, dtype=torch.float64),
    )  # the bias comes first
    for size in sizes:
        while len(used) < size and bool(free.any()):
            rest = share * ((data @ values).sigmoid() - target)
            joins = int((columns @ rest.float()).abs().masked_fill(~free, -1).argmax())
            free[joins] = False
            used.append(joins)
            data = torch.cat([data, columns[joins].double()[:, None]], dim=1)
            values = _fitted(data, target, share, torch.cat([values, values.new_zeros(1)]))
        weights = torch.zeros(len(columns))
        weights[torch.tensor(used, dtype=torch.long)] = values[1:].float()
        yield weights, values[0].float()


def _fitted(
    data: Float[Tensor, "n u"], target: Float[Tensor, " n"], share: Float[Tensor, " n"], values: Float[Tensor, " u"]
) -> Float[Tensor, " u"]:
    """Return the values of least loss, the first of them the bias; a step that would raise the loss is halved."""
    penalty = torch.full_like(values, PENALTY)
    penalty[0] = 0  # the bias is free

    def loss(at: Tensor) -> float:
        logits = data @ at
        return float(
            (share * (torch.nn.functional.softplus(logits) - target * logits)).sum() + (penalty * at**2).sum() / 2
        )

    now = loss(values)
    for _ in range(STEPS):
        chance = (data @ values).sigmoid()
        slope = data.T @ (share * (chance - target)) + penalty * values
        curve = (data * (share * chance * (1 - chance)).clamp_min(1e-12)[:, None]).T @ data + torch.diag(penalty + 1e-9)
        step = torch.linalg.solve(curve, slope)
        while loss(values - step) > now + 1e-12 and step.abs().max() > ENOUGH:
            step = step / 2
        values = values - step
        now = loss(values)
        if step.abs().max() <= ENOUGH:
            break
    return values


def standard(x: Float[Tensor, "n m"]) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Return mean and deviation of each number; the deviation of what never moves is infinite, so that it is read as 0."""
    mean, scale = x.mean(dim=0), x.std(dim=0)
    moves = scale > 1e-6 * x.abs().amax(dim=0).clamp_min(1e-12)
    return mean, torch.where(moves, scale, torch.inf)


def order_of(weights: Float[Tensor, " m"]) -> Int[Tensor, " u"]:
    """Return the places of the weights that are not zero, the largest in size first."""
    order = weights.abs().argsort(descending=True, stable=True)
    return order[weights[order] != 0]
