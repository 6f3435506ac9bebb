"""Sees the attention of a pass: weights as the network multiplies them with its values, fused attention spelled out and checked."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from seewhy.core.attention import Pool
from seewhy.core.rules import Operation
from seewhy.engine.operations import kind_of, tensors, writes
from seewhy.engine.partial import TOLERANCE
from seewhy.engine.recording import first_of, with_first
from seewhy.engine.spelling import attention_value, attention_weights, spelled_multi_head
from seewhy.errors import MethodError

_SAME_NUMBERS = frozenset(
    [
        "to",
        "float",
        "double",
        "half",
        "bfloat16",
        "type",
        "type_as",
        "contiguous",
        "clone",
        "dropout",
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "squeeze",
        "unsqueeze",
        "expand",
    ]
)
"""What may be done to weights between their softmax and their product with the values."""


@dataclass(frozen=True, eq=False)
class Finished:
    """What a module put out: its name, and the tensor itself where it is kept."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    tensor: Tensor | None


@dataclass(frozen=True, eq=False)
class Seen:
    """One attention as it ran.

    Attributes:
        within: the modules that were running, outermost first.
        before: how many modules had finished when the innermost of them began.
        weights: what was multiplied with the values, (rows, heads, m, m) or (rows * heads, m, m).
        value: what they were multiplied with, where it is kept.
        made: the product, where it is kept.
    """

    within: tuple[str, ...]
    before: int
    weights: Tensor
    value: Tensor | None
    made: Tensor | None = None

    @property
    def name(self) -> str:
        """The innermost module that was running."""
        return self.within[-1] if self.within else "the network"

    @property
    def square(self) -> bool:
        """Tokens look at the same tokens."""
        return self.weights.shape[-1] == self.weights.shape[-2]


@dataclass(eq=False)
class Cut:
    """Where the head is applied to what each block put out.

    Attributes:
        blocks: the modules whose outputs are wanted; behind the last of them comes the head.
        pool: "head": the head reads what it reads of the network's own output; "mean": every token is the mean of all tokens.
        outputs: what each block put out, part of the graph.
        fitting: those blocks whose output has the shape of the last one's.
        rows: what the head was given, a leaf of the graph: the outputs of the fitting blocks one after the other.
    """

    blocks: tuple[str, ...]
    pool: Pool
    outputs: dict[str, Tensor] = field(default_factory=dict)
    fitting: tuple[str, ...] = ()
    rows: Tensor | None = None

    def passed(self, name: str, module: nn.Module, args: Any, output: Any) -> Any:
        """Keep what a block put out; hand on the outputs of all of them behind the last."""
        made = first_of(output)
        if made is None:
            raise MethodError(f"{name} puts out no tensor, so the head cannot be applied to it")
        self.outputs[name] = made
        if name != self.blocks[-1]:
            return None
        self.fitting = tuple(block for block in self.blocks if self.outputs[block].shape == made.shape)
        self.rows = torch.cat([self.outputs[block].detach() for block in self.fitting]).requires_grad_()
        given = self.rows
        if self.pool == "mean":
            given = given.mean(dim=tuple(range(1, given.dim() - 1)), keepdim=True).expand_as(given)
        return with_first(output, given.clone())


class Record(TorchFunctionMode):
    """Sees every operation of one pass, on this thread only, and keeps the attention among them.

    The graph starts at the first weights, so that what follows can be differentiated at all of them. It is kept whether that is wanted
    or not: some products are computed in another order where there is a graph, and the same weights should come out each time.

    Args:
        rows: images in the pass.
        keep: keep what modules put out and the values too, to find places by their gradients.

    Attributes:
        seen: the attention, in the order in which it ran.
        finished: modules and what they put out, where that has a row for each image.
    """

    def __init__(self, rows: int, *, keep: bool = False) -> None:
        super().__init__()
        self.rows, self.keep = rows, keep
        self.seen: list[Seen] = []
        self.finished: list[Finished] = []
        self._running: list[tuple[str, int]] = []
        self._of_image = WeakIdKeyDictionary()
        self._softmax = WeakIdKeyDictionary()
        self._square: set[int] = set()
        self._count = 0

    @property
    def unused(self) -> int:
        """How many softmaxes over square tables of numbers were not seen to be multiplied with values."""
        return len(self._square)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not any(tensor in self._of_image for tensor in tensors(args, kwargs)):
            return function(*args, **kwargs)
        operation = Operation(kind_of(function), function, args, kwargs)
        out = self._made(operation)
        for tensor in tensors((out, *args[:1]) if writes(function, kwargs) else (out,)):
            self._of_image[tensor] = True
        return out

    def _made(self, operation: Operation) -> Any:
        if operation.kind == "multi-head attention":
            return self._multi_head(operation)
        if operation.kind == "attention":
            return self._fused(operation)
        position = _weights_position(operation)
        if position is not None and operation.args[position] in self._softmax:
            return self._product(operation, position)
        out = operation.run()
        if operation.kind == "softmax" and isinstance(out, Tensor) and out.dim() > 4 and out.shape[-1] == out.shape[-2]:
            self._count += 1
            self._square.add(self._count)  # a table with more axes, as of heads and groups, is not understood
        elif operation.kind == "softmax" and _over_last(operation, out):
            self._count += 1
            self._softmax[out] = self._count
            self._square |= {self._count} if out.shape[-1] == out.shape[-2] else set()
        elif operation.kind in _SAME_NUMBERS and operation.args and operation.args[0] in self._softmax:
            self._softmax[out] = self._softmax[operation.args[0]]
        return out

    def _multi_head(self, operation: Operation) -> tuple[Tensor, Tensor | None]:
        with self:
            out, _ = spelled_multi_head(operation)
        weights = self.seen[-1].weights if operation.argument(15, "need_weights", default=True) else None
        if weights is not None and operation.argument(23, "average_attn_weights", default=True):
            weights = weights.mean(dim=1)
        return out, weights

    def _fused(self, operation: Operation) -> Tensor:
        value, weights = attention_value(operation), self._started(attention_weights(operation))
        found = weights @ value
        with torch.no_grad():
            own = operation.run()
        apart, largest = (found.detach() - own).abs().max(), own.abs().max()
        if not apart <= TOLERANCE.get(own.dtype, 1e-3) * largest:
            raise MethodError(
                f"the weights of a fused attention could not be recomputed: their product with the values is {float(apart):.2g} off, "
                f"of {float(largest):.2g}; switch to the plain implementation of attention, or use 'rise'"
            )
        kept: Tensor = self._keep(weights, value, found)
        return kept

    def _product(self, operation: Operation, position: int) -> Any:
        weights = operation.args[position]
        self._square.discard(self._softmax[weights])
        started = self._started(weights)
        made = operation.function(
            *operation.args[:position], started, *operation.args[position + 1 :], **operation.kwargs
        )
        return self._keep(started, operation.args[1] if position == 0 else None, made)

    def _started(self, weights: Tensor) -> Tensor:
        """Return weights that are part of the graph; the first ones start it."""
        return weights if weights.requires_grad else weights.detach().requires_grad_()

    def _keep(self, weights: Tensor, value: Tensor | None, made: Any) -> Any:
        """Write an attention down, and return what it made; a copy where it is kept, as the network may write into it."""
        within = tuple(name for name, _ in self._running if name)
        before = self._running[-1][1] if self._running else 0
        kept = made if self.keep and isinstance(made, Tensor) else None
        self.seen.append(Seen(within, before, weights, value if self.keep else None, kept))
        return made if kept is None else made.clone()

    def begin(self, name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Note that a module begins; what the network itself is given is where the image comes in."""
        if not name:
            for tensor in tensors(args, kwargs):
                self._of_image[tensor] = True
        self._running.append((name, len(self.finished)))

    def end(self, name: str, module: nn.Module, args: Any, output: Any) -> Any:
        """Note that a module has finished, and what it put out."""
        self._running.pop()
        made = first_of(output)
        if made is None or not made.is_floating_point() or len(made) != self.rows or made.dim() not in (3, 4, 5):
            return None
        self.finished.append(Finished(name, module, tuple(made.shape), made if self.keep else None))
        return with_first(output, made.clone()) if self.keep else None


def _weights_position(operation: Operation) -> int | None:
    """Return which argument of a product would be attention weights; None for any other operation."""
    name = getattr(operation.function, "__name__", "")
    position = 0 if operation.kind == "matmul" and "add" not in name else 1 if operation.kind == "einsum" else None
    return position if position is not None and len(operation.args) > position else None


def _over_last(operation: Operation, out: Any) -> bool:
    axis = operation.argument(1, "dim")
    return isinstance(out, Tensor) and out.dim() in (3, 4) and axis in (-1, out.dim() - 1)


@contextmanager
def watched(network: nn.Module, record: Record, cut: Cut | None = None) -> Iterator[None]:
    """Let a record see one pass; leave no hook behind, and put grad mode back."""
    with ExitStack() as stack:
        for name, module in network.named_modules():
            before = module.register_forward_pre_hook(partial(record.begin, name), with_kwargs=True)
            after = module.register_forward_hook(partial(record.end, name))
            stack.callback(before.remove)
            stack.callback(after.remove)
            if cut is not None and name in cut.blocks:
                stack.callback(module.register_forward_hook(partial(cut.passed, name)).remove)
        stack.enter_context(torch.enable_grad())
        stack.enter_context(record)
        yield
