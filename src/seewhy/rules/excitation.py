"""Excitation backprop: winner neurons hand their probability to those that excite them, and only to those."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seewhy.core.rules import Operation, Rewrite, Rules
from seewhy.rules.carrying import carried
from seewhy.rules.composites import no_attention
from seewhy.rules.kinds import CHOICES, LARGEST
from seewhy.rules.passing import ACTIVATIONS, GATES, halved, identity, named
from seewhy.rules.relevance import alpha_beta_rule, live

_TINY = 1e-12
"""Share of a layer's outputs that keeps a sum from dividing by nothing."""


class _Chosen(torch.autograd.Function):
    """One value and two ways back; which of them is taken is asked when all operations have been met."""

    @staticmethod
    def forward(ctx: Any, _usual: Tensor, _last: Tensor, value: Tensor, is_last: Callable[[], bool]) -> Tensor:
        ctx.is_last = is_last
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        return (None, gradient, None, None) if ctx.is_last() else (gradient, None, None, None)


def excited_sum(operation: Operation) -> Tensor:
    """Share among the summands that are positive (of a difference: that add to it), in proportion; a constant gets nothing."""
    first, second = operation.argument(0, "input"), operation.argument(1, "other")
    if live(operation) < 2:
        only = first if isinstance(first, Tensor) and first.requires_grad else second
        value = operation.run()
        return _passed(value, only.expand_as(value))
    side = {"max": 0} if operation.kind == "sub" else {"min": 0}
    return _passed(operation.run(), operation.on(first.clamp(min=0), second.clamp(**side)))


def excited_mean(operation: Operation) -> Tensor:
    """Share among the positive ones of what is averaged, in proportion."""
    return _passed(operation.run(), operation.on(operation.input.clamp(min=0)))


def _passed(value: Tensor, carrier: Tensor) -> Tensor:
    """Return the value, whose relevance the carrier's summands share."""
    known = carrier.detach()
    nothing = known == 0
    return carried(value, carrier * (value.detach() / known.masked_fill(nothing, 1)).masked_fill(nothing, 0))


def contrasting() -> Rewrite:
    """Return a rule that excites everywhere, but at the last layer also takes away what would excite the opposite unit, of negated weights."""
    usual_rule, last_rule = alpha_beta_rule(1, 0, _TINY, "share"), alpha_beta_rule(1, 1, _TINY, "share")
    met = [0]

    def rewrite(operation: Operation) -> Tensor:
        met[0] += 1
        mine = met[0]
        usual, last = usual_rule(operation), last_rule(operation)
        made: Tensor = _Chosen.apply(usual, last, usual.detach(), lambda: mine == met[0])  # type: ignore[no-untyped-call]
        return made

    return rewrite


def excitation_rules(*, contrastive: bool) -> Rules:
    """Return the rules of excitation backprop; made anew for each pass, as the contrast counts the layers that it meets."""
    weighted = contrasting() if contrastive else alpha_beta_rule(1, 0, _TINY, "share")
    return Rules(
        "excitation backprop",
        {
            **ACTIVATIONS,
            **GATES,
            **named(weighted, "convolution", "transposed convolution", "linear", "matmul", "einsum"),
            **named(excited_sum, "add", "sub"),
            **named(excited_mean, "average pool", "mean", "sum", "interpolate"),
            **named(identity, "batch norm", "local_response_norm"),
            **named(no_attention, "softmax", "log_softmax"),
            "mul": halved,
        },
        exact=LARGEST | CHOICES | {"relu"},
        on_fallback="refuse",
        merge_norms=True,
    )
