"""One value, and the gradient of another: how a rewrite keeps what an operation gives and changes its way back."""

from typing import Any

import torch
from torch import Tensor


class _Carried(torch.autograd.Function):
    """Hands the value on; what comes back goes to the carrier, in its own precision."""

    @staticmethod
    def forward(ctx: Any, carrier: Tensor, value: Tensor) -> Tensor:
        ctx.kind = carrier.dtype
        return value.clone()  # a view would forbid the network to write into it

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.to(ctx.kind), None


def carried(value: Tensor, carrier: Tensor) -> Tensor:
    """Return exactly `value`, with the gradient of `carrier`, which has the same shape."""
    made: Tensor = _Carried.apply(carrier, value.detach())  # type: ignore[no-untyped-call]
    return made
