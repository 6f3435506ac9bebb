"""Sums, means and variances of tensors that come one after the other: memory does not grow with their number."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.errors import ConfigError

Q = TypeVar("Q")
A = TypeVar("A")


def paired(questions: Iterable[Q], ask: Callable[[Iterator[Q]], Iterator[A]]) -> Iterator[tuple[Q, A]]:
    """Yield each question with its answer; no more of them are kept than `ask` takes ahead."""
    waiting: deque[Q] = deque()

    def asked() -> Iterator[Q]:
        for question in questions:
            waiting.append(question)
            yield question

    for answer in ask(asked()):
        yield waiting.popleft(), answer


def weighted_sum(weights: Iterable[float], values: Iterable[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """Return the sum of weight times value; there must be as many of the one as of the other, at least one."""
    pairs = zip(weights, values, strict=True)
    first = next(pairs, None)
    if first is None:
        raise ConfigError("there is nothing to sum")
    summed = first[0] * first[1]
    for weight, value in pairs:
        summed.add_(value, alpha=weight)
    return summed


def total(values: Iterable[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """Return the sum of the values, at least one."""
    return _summed(values)[0]


def mean(values: Iterable[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """Return the mean of the values, at least one."""
    summed, count = _summed(values)
    return summed.div_(count)


def variance(values: Iterable[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """Return the mean squared distance from the mean, divided by n and not by n - 1.

    Source: Welford 1962, Note on a method for calculating corrected sums of squares and products; stable where the mean is far from 0.
    """
    stream = iter(values)
    first = next(stream, None)
    if first is None:
        raise ConfigError("there is nothing to take a variance of")
    middle, spread, count = first.clone(), torch.zeros_like(first), 1
    for value in stream:
        count += 1
        away = value - middle
        middle.add_(away, alpha=1 / count)
        spread.addcmul_(away, value - middle)
    return spread.div_(count)


def _summed(values: Iterable[Float[Tensor, "*shape"]]) -> tuple[Float[Tensor, "*shape"], int]:
    """Return the sum and how many there were."""
    stream = iter(values)
    first = next(stream, None)
    if first is None:
        raise ConfigError("there is nothing to sum")
    summed, count = first.clone(), 1
    for value in stream:
        summed.add_(value)
        count += 1
    return summed, count
