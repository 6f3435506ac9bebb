"""A pass under rules: operations on the path are put in order, rewritten, and counted."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from seewhy.core.rules import Coverage, NotCovered, Operation, Rules, Status
from seewhy.engine.operations import MOVING, kind_of_call, out_of_place, tensors, writes
from seewhy.engine.spelling import spelled_attention, spelled_multi_head
from seewhy.errors import MethodError

_SPELLED: Mapping[str, Callable[[Operation], Any]] = {
    "multi-head attention": spelled_multi_head,
    "attention": spelled_attention,
}
_LINEAR = ("convolution", "linear")
_FACTS = ("get", "size", "dim", "set", "requires_grad")


class Ruled(TorchFunctionMode):
    """Sees every torch operation of a pass, on this thread only, and nothing of it stays in the network.

    An operation is on the path where something that it takes hangs on the start of the graph.

    Attributes:
        met: how often each kind of operation was met on the path, and what was done with it.
        leaves: what went into the first linear or convolution, where the rules have a rewrite of their own for that.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.rules = rules
        self.met: Counter[tuple[str, Status]] = Counter()
        self.leaves: list[Tensor] = []
        self._beyond = WeakIdKeyDictionary()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(tensors(args, kwargs))
        if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in given):
            return function(*args, **kwargs)
        kind = kind_of_call(function, args, kwargs)
        if kind in _SPELLED and kind not in self.rules.rewrites:
            with self:
                return _SPELLED[kind](Operation(kind, function, args, kwargs))
        if kind in MOVING or kind in _FACTS:
            out = function(*args, **kwargs)
            if not isinstance(out, Tensor) or not out.requires_grad or kind in _FACTS:
                self._mark(given, out)
                return out
            self.met[kind, "exact rule"] += 1
            self._mark(given, out)
            return out
        return self._ruled(kind, function, args, kwargs, given)

    def _ruled(self, kind: str, function: Any, args: Any, kwargs: Any, given: list[Tensor]) -> Any:
        first = self.rules.first if kind in _LINEAR and not any(tensor in self._beyond for tensor in given) else None
        rewrite = first or self.rules.rewrites.get(kind)
        if rewrite is None:
            out = function(*args, **kwargs)
            if any(tensor.requires_grad for tensor in tensors((out,))):
                self.met[kind, self.rules.status(kind)] += 1
            self._mark(given, out)
            return out
        try:
            out = self._rewritten(rewrite, Operation(kind, function, args, kwargs), leaf=first is not None)
        except MethodError as error:
            self.met[kind, "unsupported"] += 1
            raise NotCovered(str(error), self.coverage()) from error
        self.met[kind, "exact rule"] += 1
        self._mark(given, out, beyond=kind in _LINEAR)
        return out

    def _rewritten(self, rewrite: Callable[[Operation], Any], operation: Operation, *, leaf: bool) -> Any:
        function, args, kwargs = operation.function, operation.args, operation.kwargs
        in_place = writes(function, kwargs)
        if in_place:
            plain = {name: value for name, value in kwargs.items() if name not in ("inplace", "out")}
            operation = Operation(operation.kind, out_of_place(function), (args[0].clone(), *args[1:]), plain)
        if leaf:
            start = operation.input.detach().requires_grad_()
            self.leaves.append(start)
            operation = Operation(operation.kind, operation.function, (start, *operation.args[1:]), operation.kwargs)
        out = rewrite(operation)
        return args[0].copy_(out) if in_place else out

    def _mark(self, given: list[Tensor], out: Any, *, beyond: bool = False) -> None:
        """Remember what lies behind a linear or a convolution; only rules for the first of them ask."""
        if self.rules.first is not None and (beyond or any(tensor in self._beyond for tensor in given)):
            for tensor in tensors((out,)):
                self._beyond[tensor] = True

    def coverage(self) -> Coverage:
        """Return what was met, the most frequent first."""
        return Coverage(
            self.rules.name, tuple((kind, times, status) for (kind, status), times in self.met.most_common())
        )
