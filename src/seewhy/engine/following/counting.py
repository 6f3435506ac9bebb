"""Counts the multiply-adds of whatever runs, from the shapes of the operations that a pass comes down to."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts convolutions, matrix products and fused attentions, on this thread only.

    Attributes:
        multiply_adds: of everything that ran under it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        packet = getattr(function, "_overloadpacket", None)
        if packet is torch.ops.aten._scaled_dot_product_flash_attention_for_cpu:  # the registry does not have it
            self.multiply_adds += _attention(*args[:3])
        elif packet in flop_registry:
            self.multiply_adds += flop_registry[packet](*args, **kwargs, out_val=out) // 2
        return out


def _attention(query: Tensor, key: Tensor, value: Tensor) -> int:
    """Two products: of queries and keys, and of weights and values."""
    return query.numel() * key.shape[-2] + query.numel() // query.shape[-1] * key.shape[-2] * value.shape[-1]
