"""Multi-head attention that calls its last linear layer as a module, so that what the heads give can be seen and swapped."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from seewhy.core.rules import Operation
from seewhy.engine.spelling import joined_heads

LAST = "out_proj"
"""The linear layer of `nn.MultiheadAttention` whose weights are used without a call of the layer."""


@contextmanager
def opened(network: nn.Module, layers: Iterable[str]) -> Iterator[None]:
    """Have each `nn.MultiheadAttention` whose "out_proj" is among the layers call it while the block runs; it gives the same but for rounding."""
    with ExitStack() as stack:
        for name in layers:
            parent, _, child = name.rpartition(".")
            if child != LAST:
                continue
            with suppress(AttributeError):
                module = network.get_submodule(parent)
                if isinstance(module, nn.MultiheadAttention) and "forward" not in module.__dict__:
                    module.__dict__["forward"] = _forward(module)
                    stack.callback(module.__dict__.pop, "forward", None)
        yield


def _forward(module: nn.MultiheadAttention) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """Return what gives the module's answer, and calls its last layer."""

    def forward(  # noqa: PLR0917 (the arguments of the module)
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        turn = module.batch_first or query.dim() == 2
        given = [x.unsqueeze(1) if x.dim() == 2 else x.transpose(0, 1) if turn else x for x in (query, key, value)]
        facts: dict[str, Any] = {
            "key_padding_mask": key_padding_mask,
            "need_weights": need_weights,
            "attn_mask": attn_mask,
        }
        joined, weights = joined_heads(
            Operation(
                "multi-head attention",
                torch.nn.functional.multi_head_attention_forward,
                (),
                _named(module, given) | facts,
            )
        )
        made = module.out_proj(joined)  # (b, n, c)
        made = made[0] if query.dim() == 2 else made if module.batch_first else made.transpose(0, 1)
        if weights is not None and average_attn_weights:
            weights = weights.mean(dim=1)
        return made, weights[0] if weights is not None and query.dim() == 2 else weights

    return forward


def _named(module: nn.MultiheadAttention, given: list[Tensor]) -> dict[str, Any]:
    """Return the arguments of the functional form that its module would call."""
    query, key, value = given
    return {
        "query": query,
        "key": key,
        "value": value,
        "num_heads": module.num_heads,
        "in_proj_weight": module.in_proj_weight,
        "in_proj_bias": module.in_proj_bias,
        "bias_k": module.bias_k,
        "bias_v": module.bias_v,
        "add_zero_attn": module.add_zero_attn,
        "use_separate_proj_weight": module.in_proj_weight is None,
        "q_proj_weight": module.q_proj_weight,
        "k_proj_weight": module.k_proj_weight,
        "v_proj_weight": module.v_proj_weight,
    }
