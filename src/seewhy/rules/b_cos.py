"""Rules of B-cos networks: whatever scales a sum by its own cosine is held constant, and everything else must be linear.

A B-cos unit gives |cos(x, w)|^(B - 1) w x: a sum, times a factor that hangs on the picture only through a magnitude and a norm. With the factor held
constant the unit is linear, and so is a network of such units: f(x) = W(x) x. The factor is found by the way back from a product: all that is not
linear (magnitudes, norms, powers, gates) lets its value through and is shut on the way back. Of two factors that both hang on the picture, the one whose
every way back is shut is the scaling. Where a gradient arrives at a shut operation after all, it is no scaling, and the network is refused.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from seewhy.core.rules import Operation, Rewrite, Rules
from seewhy.errors import MethodError
from seewhy.rules.kinds import CHOICES, LARGEST, LINEAR
from seewhy.rules.passing import NORMS, group_norm, instance_norm, layer_norm, named
from seewhy.rules.relevance import live

MAGNITUDES = frozenset({"abs", "absolute", "pow", "square"})
"""What makes a cosine a magnitude: one of these lies between a B-cos scaling and the sum that it scales."""
SHUT = (
    *("abs", "absolute", "pow", "square", "sqrt", "rsqrt", "reciprocal", "exp", "log", "log1p", "cosine_similarity"),
    *("norm", "linalg_norm", "linalg_vector_norm", "var", "std", "var_mean", "std_mean", "clamp"),
    *("sigmoid", "hardsigmoid", "softplus", "tanh", "softmax", "log_softmax", "logsumexp", "sign", "sgn"),
    *(
        "gelu",
        "silu",
        "mish",
        "hardswish",
        "elu",
        "selu",
        "celu",
        "prelu",
        "relu6",
        "hardtanh",
        "softsign",
        "local_response_norm",
    ),
)
"""Kinds whose value may be a scaling or a part of one; no gradient may come back to them."""
EXACT = (
    (LINEAR - {"convolution", "transposed convolution", "linear", "add", "sub"})
    | LARGEST
    | CHOICES
    | {"relu", "leaky_relu"}
)
"""Kinds that are linear once it is settled what they choose, and scale with their input."""
_STILL = frozenset(
    [
        "AccumulateGrad",
        "Clone",
        "ToCopy",
        "Alias",
        "Slice",
        "Cat",
        "Add",
        "Sub",
        "Rsub",
        "Neg",
        "Mul",
        "Div",
        "_Shifted",
    ]
)
"""Steps of the graph on which a picture is still a picture: copied, joined, shifted, turned round, scaled."""
NEAR = 64
"""Steps within which a scaling was computed from what it scales."""
_DIGITS = re.compile(r"Backward\d*$")


class _Shut(torch.autograd.Function):
    """Hands the value on; raises where a gradient other than 0 comes back."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, kind: str, why: str) -> Tensor:
        ctx.kind, ctx.why = kind, why
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        if gradient.any():
            raise MethodError(f"the answer depends on {ctx.kind} {ctx.why}")
        return gradient, None, None


class _Shifted(torch.autograd.Function):
    """Hands the value on, and remembers the gradient that comes back at it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, arrived: list[Tensor]) -> Tensor:
        ctx.arrived = arrived
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.arrived.append(gradient)
        return gradient, None


@dataclass(frozen=True, eq=False)
class Shift:
    """A constant that was added to the picture itself, as in 1 - x.

    Attributes:
        constant: what was added, broadcast to the picture.
        arrived: the gradients that came back there.
    """

    constant: Tensor
    arrived: list[Tensor]


@dataclass(frozen=True, eq=False)
class Met:
    """What one pass under the rules met.

    Attributes:
        scalings: how many sums were scaled by their own cosine.
        shifts: constants that were added to the picture itself.
    """

    scalings: list[str] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)


def b_cos_rules(met: Met) -> Rules:
    """Return the rules; what they meet is written into `met`, so they are for one pass."""
    product = _product(met)
    return Rules(
        "B-cos",
        {
            **named(_shut, *SHUT),
            **named(product, "mul", "matmul", "einsum", "convolution", "transposed convolution", "linear"),
            **named(_shifted(met), "add", "sub", "rsub"),
            "div": _divided,
            "layer norm": layer_norm,
            "group norm": group_norm,
            "instance norm": instance_norm,
            **named(NORMS["normalize"], "normalize", "rms norm"),
        },
        exact=EXACT,
        on_fallback="refuse",
    )


def _shut(operation: Operation) -> Any:
    """Compute what is not linear, and shut the way back."""
    made = operation.run()
    parts = made if isinstance(made, tuple) else (made,)
    shut = tuple(
        _Shut.apply(part, operation.kind, "as such, which is neither linear nor a scaling of a sum")  # type: ignore[no-untyped-call]
        for part in parts
    )
    return type(made)(shut) if isinstance(made, tuple) else shut[0]


def _divided(operation: Operation) -> Any:
    """Divide by a norm that is held constant; by anything else that hangs on the picture not at all."""
    first, second, *rest = operation.args
    if not isinstance(second, Tensor) or not second.requires_grad:
        return operation.run()
    if is_shut(second):
        return operation.function(first, second.detach(), *rest, **operation.kwargs)
    return _Shut.apply(operation.run(), "a quotient", "by something that is no norm")  # type: ignore[no-untyped-call]


def _product(met: Met) -> Rewrite:
    """Return the rule of products: linear where one factor is constant, or a scaling that is held so."""

    def rewrite(operation: Operation) -> Any:
        if live(operation) < 2:
            return operation.run()
        hanging = [n for n, one in enumerate(operation.args) if isinstance(one, Tensor) and one.requires_grad]
        shut = [n for n in hanging if is_shut(operation.args[n])]
        if len(hanging) != 2 or len(shut) != 1:
            why = "of two things that both hang on the picture, none of which is a scaling"
            return _Shut.apply(operation.run(), f"a product ({operation.kind})", why)  # type: ignore[no-untyped-call]
        [scaling], [scaled] = shut, [n for n in hanging if n not in shut]
        if operation.kind == "mul" and _by_own_magnitude(operation.args[scaling], operation.args[scaled]):
            met.scalings.append(operation.kind)
        args = [one.detach() if n == scaling else one for n, one in enumerate(operation.args)]
        return replace(operation, args=tuple(args)).run()

    return rewrite


def _shifted(met: Met) -> Rewrite:
    """Return the rule of sums: a constant that is added to the picture itself belongs to the pixel where it was added."""

    def rewrite(operation: Operation) -> Any:
        value = operation.run()
        tensors = [one for one in operation.args[:2] if isinstance(one, Tensor)]
        hanging = [one for one in tensors if one.requires_grad]
        if len(hanging) != 1 or hanging[0].shape != value.shape or not _is_picture(hanging[0]):
            return value
        with torch.no_grad():
            zero = [torch.zeros_like(one) if one is hanging[0] else one for one in operation.args]
            constant = replace(operation, args=tuple(zero)).run()
        shift = Shift(constant, [])
        met.shifts.append(shift)
        return _Shifted.apply(value, shift.arrived)  # type: ignore[no-untyped-call]

    return rewrite


def is_shut(tensor: Tensor) -> bool:
    """Say whether every way back from here to the picture is shut."""
    return "AccumulateGrad" not in (name for name, _ in _back(tensor, lambda name: name == "_Shut"))


def _by_own_magnitude(scaling: Tensor, scaled: Tensor) -> bool:
    """Say whether a scaling is a magnitude that was computed from what it scales, a few steps before."""
    nodes = [node for _, node in islice(_back(scaling), NEAR)]
    return scaled.grad_fn in nodes and any(getattr(node, "kind", "") in MAGNITUDES for node in nodes)


def _is_picture(tensor: Tensor) -> bool:
    """Say whether nothing has been done to the picture so far but copying, joining, shifting and scaling it."""
    return all(name in _STILL for name, _ in _back(tensor))


def _back(tensor: Tensor, stop: Callable[[str], bool] = lambda _: False) -> Iterator[tuple[str, Any]]:
    """Yield the steps of the graph behind a tensor by name, the nearest first, each once; none that lies only behind one at which to stop."""
    seen = {tensor.grad_fn}
    ahead = deque([tensor.grad_fn])
    while ahead:
        node = ahead.popleft()
        name = "AccumulateGrad" if node is None else _DIGITS.sub("", node.name().rsplit("::", 1)[-1])
        yield name, node
        if node is None or stop(name):
            continue
        following = {before for before, _ in node.next_functions if before is not None} - seen
        seen |= following
        ahead.extend(following)
