"""Rectifiers on the way back: guided backpropagation and the deconvnet, and what both say about networks with other nonlinearities."""

from itertools import count
from typing import Any

import torch
from torch import Tensor

from seewhy.core.rules import Coverage, Operation, Rules
from seewhy.rules.carrying import carried
from seewhy.rules.kinds import CHOICES, LARGEST, LINEAR, NORMS, PRODUCTS

RECTIFIERS = frozenset({"relu", "relu6"})
"""max(x, 0), and the same with a ceiling, however the network spells it."""
_PLAIN = LINEAR | PRODUCTS | NORMS | LARGEST | CHOICES | {"div", "reciprocal", "var", "var_mean"}
"""Neither paper changes anything there, so the plain gradient is what they ask for."""


class _OnlyPositive(torch.autograd.Function):
    """Leaves the value as it is and lets only positive gradients come back."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return gradient.relu()


def guided(operation: Operation) -> Tensor:
    """Rectify; back comes relu(gradient) * relu'(x): what is positive, where the rectifier was open."""
    opened: Tensor = _OnlyPositive.apply(operation.run())  # type: ignore[no-untyped-call]
    return opened


def deconvolved(operation: Operation) -> Tensor:
    """Rectify; back comes relu(gradient), whether the rectifier was open or not."""
    carrier: Tensor = _OnlyPositive.apply(operation.input)  # type: ignore[no-untyped-call]
    return carried(operation.run(), carrier)


class _Redirected(torch.autograd.Function):
    """Hands the value on; where a rectifier is shut, what would open it comes back, and above a ceiling everything does."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(given < value)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        [below] = ctx.saved_tensors
        return torch.where(below, gradient.relu(), gradient), None


def redirected(operation: Operation) -> Tensor:
    """Rectify; below zero only what would open it comes back, above a ceiling all, so that what a unit looks for can still grow there."""
    made: Tensor = _Redirected.apply(operation.input, operation.run())  # type: ignore[no-untyped-call]
    return made


def reviving(first: int) -> Rules:
    """Return rules that redirect all rectifiers but the first so many on the way, for one pass: a way back to a picture from a unit that is shut.

    Olah et al.'s lucid redirects every rectifier of a network while a unit gives no gradient; here only those behind which it is lost.
    """
    calls = count()

    def rewrite(operation: Operation) -> Tensor:
        made: Tensor = redirected(operation) if next(calls) >= first else operation.run()
        return made

    return Rules("redirected rectifiers", dict.fromkeys(RECTIFIERS, rewrite), exact=_PLAIN, on_fallback="flag")


GUIDED = Rules(
    "guided backprop", dict.fromkeys(RECTIFIERS, guided), exact=_PLAIN, required=RECTIFIERS, on_fallback="flag"
)
DECONVNET = Rules(
    "deconvnet", dict.fromkeys(RECTIFIERS, deconvolved), exact=_PLAIN, required=RECTIFIERS, on_fallback="flag"
)


def blindness(coverage: Coverage) -> tuple[str, ...]:
    """Say where nothing on the deconvnet's way back depends on the picture: it forgets which rectifiers were open, and nothing else chooses."""
    if any(kind not in RECTIFIERS and kind not in LINEAR and kind in _PLAIN for kind, _, _ in coverage.met):
        return ()
    if coverage.kinds("fallback gradient"):
        return ()
    return (
        "this network has no max pools, so nothing on the way back depends on the picture: any other gives this map",
    )


def remarks(coverage: Coverage) -> tuple[str, ...]:
    """Say at which share of the network's nonlinearities there was no rectifier, and so no rule; nothing where there were none."""
    rectifiers = sum(times for kind, times, _ in coverage.met if kind in RECTIFIERS)
    others = [(kind, times) for kind, times, status in coverage.met if status == "fallback gradient"]
    if not others:
        return ()
    count = sum(times for _, times in others)
    listed = ", ".join(f"{kind} x {times}" for kind, times in others)
    return (
        f"{coverage.rules} is defined for rectifiers; at {count} of {count + rectifiers} nonlinear operations ({listed}) the plain "
        "gradient was taken",
    )
