"""Which operations treat each row of their tensors alone, and how they are called with fewer rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

FACTS = frozenset(
    "get size dim numel is_contiguous stride element_size is_floating_point ndimension len "
    "new_zeros new_ones new_empty new_full is_complex".split()
)
"""Kinds that ask about a tensor's shape and type, and not about its numbers."""
CONVOLUTIONS = frozenset({"convolution", "transposed convolution"})
CELLS = frozenset({"lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"})
_FUSED = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_ONE = frozenset(
    "relu relu6 gelu sigmoid tanh silu hardswish hardsigmoid leaky_relu elu selu celu softplus mish exp log sqrt rsqrt abs neg pow square "
    "clamp dropout dropout2d dropout3d hardtanh prelu contiguous interpolate".split()
    + ["max pool", "average pool", "adaptive max pool", "group norm", "instance norm"]
)
"""Kinds with one tensor of rows, and weights that all rows share."""
_TWO = frozenset("add sub mul div maximum minimum".split())
_REDUCTIONS = frozenset("mean sum amax amin std var softmax log_softmax logsumexp cumsum".split())
_SPLITS = frozenset("chunk split tensor_split unbind split_with_sizes".split())

Call = Callable[[Any, Sequence[Tensor]], Any]
"""Calls a function with fewer rows."""
Taken = tuple[list[Tensor], Call]
"""The tensors whose rows count, and how the operation is called with others in their place."""
IsRows = Callable[[Any], bool]


def row_by_row(kind: str, function: Any, args: Any, kwargs: Mapping[str, Any], is_rows: IsRows) -> Taken | None:
    """Return how an operation is called with fewer rows; None where it may mix rows, or where nothing is known of it.

    Args:
        kind, function, args, kwargs: the operation.
        is_rows: says whether a tensor stands for rows.
    """
    if kind in CELLS:
        return _cell(args, kwargs)
    if kind in ("cat", "concat", "concatenate", "stack"):
        return _joined(args, kwargs, is_rows)
    if kind in _TWO or kind in ("matmul", "attention"):
        return _several(kind, function, args, kwargs, is_rows)
    first = args[0]
    if not isinstance(first, Tensor) or first.dim() < 2 or len(first) < 2 or not first.is_floating_point():
        return None
    if any(is_rows(value) for value in (*args[1:], *kwargs.values())):
        return None
    if kind in CONVOLUTIONS:
        fits = isinstance(args[1], Tensor) and first.dim() == args[1].dim()
    else:
        fits = kind in _ONE or kind == "linear" or keeps_rows(kind, first, args, kwargs)
    if fits:
        return [first], lambda call, own: call(own[0], *args[1:], **_forgetful(kwargs))
    if is_rows(first) and kind in ("view", "reshape"):
        return _reshaped(function, args, kwargs)
    return None


def keeps_rows(kind: str, first: Tensor, args: Any, kwargs: Mapping[str, Any]) -> bool:
    """Say whether an operation with arguments about axes leaves the first axis alone."""
    if kind == "batch norm":
        return not (kwargs["training"] if "training" in kwargs else len(args) > 5 and args[5])
    if kind in ("layer norm", "rms norm"):
        shape = kwargs.get("normalized_shape", args[1] if len(args) > 1 else ())
        return len(shape) < first.dim()
    if kind in _REDUCTIONS:
        return along(first, kwargs.get("dim", args[1] if len(args) > 1 else None))
    if kind in _SPLITS:
        place = 1 if kind == "unbind" else 2
        return along(first, kwargs.get("dim", args[place] if len(args) > place else 0))
    if kind in ("unsqueeze", "squeeze"):
        axis = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        return isinstance(axis, int) and (axis % (first.dim() + (kind == "unsqueeze"))) > 0
    if kind == "flatten":
        return along(first, kwargs.get("start_dim", args[1] if len(args) > 1 else 0))
    if kind == "unflatten":
        return along(first, kwargs.get("dim", args[1] if len(args) > 1 else 0))
    if kind in ("transpose", "swapaxes"):
        return len(args) > 2 and along(first, (args[1], args[2]))
    if kind == "permute":
        order = args[1] if len(args) == 2 and isinstance(args[1], (tuple, list)) else args[1:]
        return bool(order) and order[0] == 0
    if kind == "getitem":
        return _leaves_rows(args[1])
    if kind in ("zeros_like", "ones_like"):
        return True
    return False


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


def _reshaped(function: Any, args: Any, kwargs: Mapping[str, Any]) -> Taken | None:
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


def _joined(args: Any, kwargs: Mapping[str, Any], is_rows: IsRows) -> Taken | None:
    """Return how tensors are put side by side, each row to its own."""
    parts = args[0]
    if not isinstance(parts, (tuple, list)) or not parts or not any(map(is_rows, parts)):
        return None
    axis = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else 0))
    rows = len(parts[0])
    if not isinstance(axis, int) or any(
        part.dim() < 2 or len(part) != rows or not part.is_floating_point() for part in parts
    ):
        return None
    if axis == 0 or axis < -max(part.dim() for part in parts):
        return None
    if axis < 0 and axis % parts[0].dim() == 0:
        return None
    return list(parts), lambda function, own: function(list(own), axis)


def _several(kind: str, function: Any, args: Any, kwargs: Mapping[str, Any], is_rows: IsRows) -> Taken | None:
    """Return how an operation of two or three tensors is called, of which some have a row for each row."""
    count = 3 if kind == "attention" else 2
    if len(args) < count or any(is_rows(value) for value in (*args[count:], *kwargs.values())):
        return None
    if kind == "attention" and (args[3:] or kwargs.get("attn_mask") is not None):
        return None
    if kind == "matmul" and getattr(function, "__name__", "") not in ("matmul", "__matmul__", "bmm", "mm"):
        return None
    given = args[:count]
    depth = max((value.dim() for value in given if isinstance(value, Tensor)), default=0)
    rows = max((len(value) for value in given if isinstance(value, Tensor) and value.dim() == depth > 1), default=0)
    if rows < 2:
        return None
    batched = [_has_rows(value, rows, depth) for value in given]
    if any(is_rows(value) and not has for value, has in zip(given, batched, strict=True)):
        return None
    if kind == "matmul" and (not batched[0] or (batched[1] and depth < 3)):
        return None
    if kind == "attention" and not all(batched):
        return None

    def call(function: Any, own: Sequence[Tensor]) -> Any:
        left = iter(own)
        return function(
            *(next(left) if has else value for value, has in zip(given, batched, strict=True)), *args[count:], **kwargs
        )

    return [value for value, has in zip(given, batched, strict=True) if has], call


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
