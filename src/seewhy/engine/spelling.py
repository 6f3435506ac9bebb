"""Fused operations, spelled out: the same numbers from operations that rules and recorders can see."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.rules import Operation
from seewhy.errors import MethodError


def attention_weights(operation: Operation) -> Float[Tensor, "*batch n m"]:
    """Return the weights of a fused attention: softmax(q k^T * scale + mask)."""
    query, key = operation.argument(0, "query"), operation.argument(1, "key")
    mask, scale = operation.argument(3, "attn_mask"), operation.kwargs.get("scale")
    if operation.kwargs.get("enable_gqa") and key.shape[-3] != query.shape[-3]:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if operation.argument(5, "is_causal", default=False):
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(hidden, float("-inf"))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    weights: Tensor = scores.softmax(dim=-1)
    return weights


def attention_value(operation: Operation) -> Float[Tensor, "*batch m d"]:
    """Return the values that a fused attention mixes."""
    query, value = operation.argument(0, "query"), operation.argument(2, "value")
    if operation.kwargs.get("enable_gqa") and value.shape[-3] != query.shape[-3]:
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], dim=-3)
    found: Tensor = value
    return found


def spelled_attention(operation: Operation) -> Tensor:
    """Compute a fused attention step by step."""
    return attention_weights(operation) @ attention_value(operation)


_MULTI_HEAD = [
    "query",
    "key",
    "value",
    "embed_dim_to_check",
    "num_heads",
    "in_proj_weight",
    "in_proj_bias",
    "bias_k",
    "bias_v",
    "add_zero_attn",
    "dropout_p",
    "out_proj_weight",
    "out_proj_bias",
    "training",
    "key_padding_mask",
    "need_weights",
    "attn_mask",
    "use_separate_proj_weight",
    "q_proj_weight",
    "k_proj_weight",
    "v_proj_weight",
    "static_k",
    "static_v",
    "average_attn_weights",
    "is_causal",
]


def spelled_multi_head(operation: Operation) -> tuple[Tensor, Tensor | None]:
    """Compute what `nn.MultiheadAttention` does, (n, b, c) to (n, b, c), from linear maps and one attention.

    Raises:
        MethodError: it adds keys, or masks single tokens; no network for pictures is known to.
    """
    given, (q, k, v), mask = _unfolded(operation)
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    joined = mixed.permute(2, 0, 1, 3).flatten(2)
    return torch.nn.functional.linear(joined, given["out_proj_weight"], given["out_proj_bias"]), None


def joined_heads(operation: Operation) -> tuple[Float[Tensor, "b n c"], Float[Tensor, "b heads n m"] | None]:
    """Return what the heads of `nn.MultiheadAttention` give, one beside the other, before its last linear map; and the weights, where wanted.

    Raises:
        MethodError: as above.
    """
    given, (q, k, v), mask = _unfolded(operation)
    if not given.get("need_weights", True):
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return mixed.transpose(1, 2).flatten(2), None
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = (scores if mask is None else scores + mask).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2), weights


def _unfolded(operation: Operation) -> tuple[dict[str, Any], tuple[Tensor, Tensor, Tensor], Tensor | None]:
    """Return the arguments by name, queries, keys and values (b, heads, n, d), and the mask that is added to the scores."""
    given: dict[str, Any] = dict(zip(_MULTI_HEAD, operation.args, strict=False)) | dict(operation.kwargs)
    unusual = [
        name for name in ("bias_k", "bias_v", "static_k", "static_v", "key_padding_mask") if given.get(name) is not None
    ]
    if unusual or given.get("add_zero_attn"):
        raise MethodError(
            f"nn.MultiheadAttention with {', '.join(unusual) or 'add_zero_attn'} is not covered; "
            "use a perturbation method, such as 'rise'"
        )
    heads = given["num_heads"]
    bias = given.get("in_proj_bias")
    if given.get("use_separate_proj_weight"):
        weights = (given["q_proj_weight"], given["k_proj_weight"], given["v_proj_weight"])
    else:
        weights = given["in_proj_weight"].chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    q, k, v = (
        torch.nn.functional.linear(x, w, b).reshape(*x.shape[:2], heads, -1).permute(1, 2, 0, 3)
        for x, w, b in zip((given["query"], given["key"], given["value"]), weights, biases, strict=True)
    )
    mask = given.get("attn_mask")
    if mask is not None and mask.dim() == 3:
        mask = mask.unflatten(0, (-1, heads))
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=q.dtype, device=q.device).masked_fill(mask, float("-inf"))
    return given, (q, k, v), mask
