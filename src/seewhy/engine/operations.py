"""What an operation is, whichever way the network called it: a module, a functional call, an operator, in place or not."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

KINDS = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), "convolution"),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), "transposed convolution"),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d", "boolean_dispatch"), "max pool"),
    **dict.fromkeys(("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices"), "max pool"),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"), "adaptive max pool"),
    **dict.fromkeys((f"adaptive_max_pool{axes}d_with_indices" for axes in (1, 2, 3)), "adaptive max pool"),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), "average pool"),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"), "average pool"),
    **dict.fromkeys(("bmm", "mm", "mv", "addmm", "baddbmm"), "matmul"),
    **dict.fromkeys(("radd", "iadd"), "add"),
    **dict.fromkeys(("rsub", "isub", "subtract"), "sub"),
    **dict.fromkeys(("rmul", "imul", "multiply"), "mul"),
    **dict.fromkeys(("truediv", "itruediv", "true_divide", "divide", "idiv"), "div"),
    **dict.fromkeys(("rtruediv", "rdiv"), "reciprocal"),
    **dict.fromkeys(("rmatmul",), "matmul"),
    **dict.fromkeys(("rpow", "ipow"), "pow"),
    **dict.fromkeys(("threshold",), "relu"),
    "hardtanh": "relu6",
    "clip": "clamp",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
    "scaled_dot_product_attention": "attention",
    "multi_head_attention_forward": "multi-head attention",
    "batch_norm": "batch norm",
    "layer_norm": "layer norm",
    "group_norm": "group norm",
    "instance_norm": "instance norm",
    "rms_norm": "rms norm",
}
"""Kinds that go by several names, or by a name of their own; any other kind is the function's own name."""

MOVING = frozenset(
    [
        "view",
        "reshape",
        "permute",
        "transpose",
        "flatten",
        "unflatten",
        "squeeze",
        "unsqueeze",
        "expand",
        "expand_as",
        "contiguous",
        "clone",
        "getitem",
        "chunk",
        "split",
        "split_with_sizes",
        "tensor_split",
        "narrow",
        "select",
        "cat",
        "concat",
        "concatenate",
        "stack",
        "pad",
        "roll",
        "movedim",
        "moveaxis",
        "swapaxes",
        "swapdims",
        "repeat",
        "tile",
        "to",
        "float",
        "double",
        "half",
        "bfloat16",
        "type",
        "type_as",
        "unfold",
        "fold",
        "index_select",
        "unbind",
        "view_as",
        "reshape_as",
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_dropout",
        "flip",
        "rot90",
        "pixel_shuffle",
        "pixel_unshuffle",
        "channel_shuffle",
        "native_channel_shuffle",
        "as_strided",
        "identity",
        "t",
        "get",
        "hsplit",
        "vsplit",
        "dsplit",
        "hstack",
        "vstack",
        "dstack",
        "adjoint",
        "mT",
        "detach",
        "requires_grad",
        "alias",
        "atleast_2d",
        "broadcast_to",
        "ravel",
        "cpu",
        "cuda",
        "repeat_interleave",
        "gather",
        "take_along_dim",
        "diagonal",
        "positive",
        "set",
        "setitem",
        "index",
        "copy",
    ]
)
"""Kinds that only move or repeat numbers, or fill up with a constant."""

_SPELLED = {"__get__": "get", "__set__": "set", "__getitem__": "getitem", "__setitem__": "setitem"}


def kind_of(function: Callable[..., Any]) -> str:
    """Return the kind of an operation."""
    name = getattr(function, "__name__", type(function).__name__)
    name = _SPELLED.get(name) or name.strip("_")
    return KINDS.get(name, name)


def kind_of_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the kind of an operation where that depends on what it was called with: a clamp from 0 on is a ReLU."""
    name = getattr(function, "__name__", "").strip("_")
    if name not in _LIMITS:
        return kind_of(function)
    low, high = _LIMITS[name](name, args, kwargs)
    if _is_number(low, 0):
        if high is None or _is_number(high, math.inf):
            return "relu"
        if isinstance(high, (int, float)) and high > 0:
            return "relu6"
    return "clamp" if _LIMITS[name] is _clamp_limits else name


def _clamp_limits(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what a clamp keeps its numbers between; None where there is no such limit."""
    given = dict(zip(("max",) if name == "clamp_max" else ("min", "max"), args[1:], strict=False)) | dict(kwargs)
    return given.get("min"), given.get("max")


def _hardtanh_limits(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    given = {"min_val": -1.0, "max_val": 1.0} | dict(zip(("min_val", "max_val"), args[1:], strict=False)) | dict(kwargs)
    return given["min_val"], given["max_val"]


def _threshold_limits(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the limits where what lies below the threshold becomes the threshold itself."""
    given = dict(zip(("threshold", "value"), args[1:], strict=False)) | dict(kwargs)
    low = given["threshold"]
    return (low if given["value"] == low else None), None


_LIMITS: Mapping[str, Callable[[str, tuple[Any, ...], Mapping[str, Any]], tuple[Any, Any]]] = {
    **dict.fromkeys(("clamp", "clip", "clamp_min", "clamp_max"), _clamp_limits),
    "hardtanh": _hardtanh_limits,
    "threshold": _threshold_limits,
}


def _is_number(value: Any, wanted: float) -> bool:
    return isinstance(value, (int, float)) and value == wanted


def writes(function: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    """Say whether an operation writes into its first argument."""
    name = getattr(function, "__name__", "")
    if name.startswith("__"):
        return (name.startswith("__i") and name not in ("__invert__", "__index__", "__int__")) or name == "__setitem__"
    return bool(kwargs.get("inplace")) or name.endswith("_") or isinstance(kwargs.get("out"), Tensor)


def out_of_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that computes the same without writing into its argument."""
    name = getattr(function, "__name__", "")
    bare = f"__{name[3:]}" if name.startswith("__i") else name.removesuffix("_")
    for home in (torch.Tensor, torch.nn.functional, torch):
        if bare != name and hasattr(home, bare):
            found: Callable[..., Any] = getattr(home, bare)
            return found
    return function


def tensors(args: Any, kwargs: Mapping[str, Any] | None = None) -> Iterator[Tensor]:
    """Yield the tensors among arguments, lists and tuples of them included."""
    for value in (*args, *(kwargs or {}).values()):
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors(value)
