"""Which operations treat each row of their tensors alone, and how they are called with fewer rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

FACTS = frozenset(
    [
        "get",
        "size",
        "dim",
        "numel",
        "is_contiguous",
        "stride",
        "element_size",
        "is_floating_point",
        "is_complex",
        "ndimension",
        "len",
    ]
    + [f"new_{word}" for word in ("zeros", "ones", "empty", "full")]
)
"""Kinds that ask about a tensor's shape and type, and not about its numbers."""
CONVOLUTIONS = frozenset({"convolution", "transposed convolution"})
CELLS = frozenset({"lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"})
HEAVY = CONVOLUTIONS | CELLS | {"linear", "attention"}
"""Kinds that are worth looking for equal rows among their tensors."""
_FUSED = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_ONE = frozenset(
    [
        *("relu", "relu6", "gelu", "sigmoid", "tanh", "silu", "hardswish", "hardsigmoid", "leaky_relu", "elu", "selu"),
        *("celu", "softplus", "mish", "prelu", "hardtanh", "clamp", "exp", "log", "sqrt", "rsqrt", "abs", "neg", "pow"),
        *("square", "dropout", "dropout2d", "dropout3d", "contiguous", "interpolate", "linear"),
        *("max pool", "average pool", "adaptive max pool", "group norm", "instance norm", "zeros_like", "ones_like"),
    ]
)
"""Kinds with one tensor of rows, and weights that all rows share."""
_TWO = frozenset(["add", "sub", "mul", "div", "maximum", "minimum"])
_JOINS = frozenset(["cat", "concat", "concatenate", "stack"])

Call = Callable[[Any, Sequence[Tensor]], Any]
"""Calls a function with fewer rows."""
Taken = tuple[list[Tensor], Call]
"""The tensors whose rows count, and how the operation is called with others in their place."""
IsRows = Callable[[Any], bool]
Fits = Callable[[Tensor, Sequence[Any], Mapping[str, Any]], bool]
"""Says from the first tensor and all arguments whether an operation leaves the first axis alone."""


def row_by_row(kind: str, function: Any, args: Any, kwargs: Mapping[str, Any], is_rows: IsRows) -> Taken | None:
    """Return how an operation is called with fewer rows; None where it may mix rows, or where nothing is known of it.

    Args:
        kind, function, args, kwargs: the operation.
        is_rows: says whether a tensor stands for rows.
    """
    if kind in CELLS:
        return _cell(args, kwargs)
    if kind in _JOINS:
        return _joined(kind, args, kwargs, is_rows)
    if kind in _TWO or kind in ("matmul", "attention"):
        return _several(kind, function, args, kwargs, is_rows)
    return _alone(kind, args, kwargs, is_rows)


def _alone(kind: str, args: Any, kwargs: Mapping[str, Any], is_rows: IsRows) -> Taken | None:
    """Return how an operation on one tensor is called, if it leaves the first axis alone."""
    first = args[0]
    if not isinstance(first, Tensor) or first.dim() < 2 or len(first) < 2 or not first.is_floating_point():
        return None
    if any(is_rows(value) for value in (*args[1:], *kwargs.values())):
        return None
    if kind in ("view", "reshape"):
        return _reshaped(args, kwargs) if is_rows(first) else None
    if kind not in _ONE and not (kind in _FITS and _FITS[kind](first, args, kwargs)):
        return None
    return [first], lambda call, own: call(own[0], *args[1:], **_forgetful(kwargs))


def _given(name: str, place: int, usual: Any = None) -> Callable[[Sequence[Any], Mapping[str, Any]], Any]:
    """Return what reads an argument that may be given by name or by place."""
    return lambda args, kwargs: kwargs.get(name, args[place] if len(args) > place else usual)


def _axis(place: int, usual: Any = None, name: str = "dim") -> Fits:
    """Return what says whether the axis, or the axes, at one place among the arguments are others than the first."""
    read = _given(name, place, usual)
    return lambda first, args, kwargs: along(first, read(args, kwargs))


def _axis_of_more(first: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Say whether an axis that is put in is another than the first."""
    axis = _given("dim", 1)(args, kwargs)
    return isinstance(axis, int) and axis % (first.dim() + 1) > 0


def _permuted(first: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    order = args[1] if len(args) == 2 and isinstance(args[1], (tuple, list)) else args[1:]
    return bool(order) and order[0] == 0


def _evaluated(first: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Say whether a batch norm uses what it has learned, and not this batch."""
    return not _given("training", 5, usual=False)(args, kwargs)


def _within(first: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return len(_given("normalized_shape", 1, ())(args, kwargs)) < first.dim()


_FITS: dict[str, Fits] = {
    **dict.fromkeys(CONVOLUTIONS, lambda first, args, _: len(args) > 1 and first.dim() == args[1].dim()),
    **dict.fromkeys(
        ("mean", "sum", "amax", "amin", "std", "var", "softmax", "log_softmax", "logsumexp", "cumsum"), _axis(1)
    ),
    **dict.fromkeys(("chunk", "split", "tensor_split", "split_with_sizes"), _axis(2, 0)),
    **dict.fromkeys(
        ("transpose", "swapaxes"), lambda first, args, _: len(args) > 2 and along(first, (args[1], args[2]))
    ),
    **dict.fromkeys(("layer norm", "rms norm"), _within),
    "unbind": _axis(1, 0),
    "squeeze": _axis(1),
    "unsqueeze": _axis_of_more,
    "flatten": _axis(1, 0, "start_dim"),
    "unflatten": _axis(1),
    "permute": _permuted,
    "batch norm": _evaluated,
    "getitem": lambda _, args, __: _leaves_rows(args[1]),
}
"""Kinds that leave the first axis alone, or not, as their arguments say."""


def along(tensor: Tensor, axes: Any) -> bool:
    """Say whether axes are given, and the first is none of them."""
    given = (axes,) if isinstance(axes, int) else axes
    if not isinstance(given, (tuple, list)) or not given:
        return False
    return all(isinstance(axis, int) and axis % tensor.dim() > 0 for axis in given)


def _leaves_rows(index: Any) -> bool:
    """Say whether an index takes all rows, in their order."""
    if not isinstance(index, tuple) or not index or index[0] != slice(None):
        return False
    return all(isinstance(part, (int, slice)) or part is None or part is Ellipsis for part in index[1:])


def _forgetful(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords without the wish to write in place."""
    return {name: value for name, value in kwargs.items() if name != "inplace"} | (
        {"inplace": False} if "inplace" in kwargs else {}
    )


def _reshaped(args: Any, kwargs: Mapping[str, Any]) -> Taken | None:
    """Return how rows are laid out anew, where each stays a row."""
    first = args[0]
    if any(isinstance(part, torch.dtype) for part in args[1:]):
        return None
    shape = torch.empty(first.shape, device="meta").reshape(*args[1:], **kwargs).shape
    if not shape or shape[0] != len(first):
        return None
    return [first], lambda _, own: own[0].reshape(len(own[0]), *shape[1:])


def _cell(args: Any, kwargs: Mapping[str, Any]) -> Taken | None:
    """Return how a step of a recurrent network is made: rows of the input, and of the state."""
    if kwargs or len(args) < 4 or args[0].dim() != 2:
        return None
    state = list(args[1]) if isinstance(args[1], (tuple, list)) else [args[1]]

    def call(function: Any, own: Sequence[Tensor]) -> Any:
        states = tuple(own[1:]) if isinstance(args[1], (tuple, list)) else own[1]
        return function(own[0], states, *args[2:])

    return [args[0], *state], call


def _joined(kind: str, args: Any, kwargs: Mapping[str, Any], is_rows: IsRows) -> Taken | None:
    """Return how tensors are put side by side, each row to its own."""
    parts = args[0]
    if not isinstance(parts, (tuple, list)) or not any(map(is_rows, parts)):
        return None
    axis = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    axes, rows = parts[0].dim() + (kind == "stack"), len(parts[0])
    alike = all(part.dim() >= 2 and len(part) == rows and part.is_floating_point() for part in parts)
    if not alike or not isinstance(axis, int) or axis % axes == 0:
        return None
    return list(parts), lambda function, own: function(list(own), axis)


def _several(kind: str, function: Any, args: Any, kwargs: Mapping[str, Any], is_rows: IsRows) -> Taken | None:
    """Return how an operation of two or three tensors is called, of which some have a row for each row."""
    count = 3 if kind == "attention" else 2
    given = args[:count]
    depth = max((value.dim() for value in given if isinstance(value, Tensor)), default=0)
    rows = max((len(value) for value in given if isinstance(value, Tensor) and value.dim() == depth > 1), default=0)
    batched = [_has_rows(value, rows, depth) for value in given]
    strange = any(is_rows(value) for value in (*args[count:], *kwargs.values())) or any(
        is_rows(value) and not has for value, has in zip(given, batched, strict=True)
    )
    if len(given) < count or rows < 2 or strange or not _pairs_rows(kind, function, args, kwargs, batched):
        return None

    def call(function: Any, own: Sequence[Tensor]) -> Any:
        left = iter(own)
        return function(
            *(next(left) if has else value for value, has in zip(given, batched, strict=True)), *args[count:], **kwargs
        )

    return [value for value, has in zip(given, batched, strict=True) if has], call


def _pairs_rows(kind: str, function: Any, args: Any, kwargs: Mapping[str, Any], batched: Sequence[bool]) -> bool:
    """Say whether an operation of several tensors takes each row of one with the same row of the others."""
    if kind == "attention":
        return all(batched) and len(args) == 3 and kwargs.get("attn_mask") is None
    if kind == "matmul":
        plain = getattr(function, "__name__", "") in ("matmul", "__matmul__", "bmm", "mm")
        return plain and batched[0] and not (batched[1] and args[0].dim() < 3)
    return True


def _has_rows(value: Any, rows: int, depth: int) -> bool:
    """Say whether a value has a row for each row, where the result has so many axes."""
    return isinstance(value, Tensor) and value.dim() == depth and len(value) == rows and value.is_floating_point()


def work(kind: str, args: Any, out: Any) -> float:
    """Return the multiply-adds of a convolution, linear layer, recurrent cell or recurrent layer; 0 of any other operation."""
    if not args or not isinstance(args[0], Tensor):
        return 0.0
    if kind in CONVOLUTIONS or kind == "linear":
        each = args[1].shape[-1] if kind == "linear" else args[1][0].numel()
        return float(out.numel() * each)
    if kind in CELLS:
        return float(len(args[0]) * _products(args[2:]))
    if kind in _FUSED and args[0].dim() == 3:
        weights = next((value for value in args[2:] if isinstance(value, (list, tuple))), ())
        return float(args[0].shape[0] * args[0].shape[1] * _products(weights))
    return 0.0


def _products(weights: Sequence[Any]) -> int:
    return sum(weight.numel() for weight in weights if isinstance(weight, Tensor) and weight.dim() == 2)
