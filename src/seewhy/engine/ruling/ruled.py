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
from seewhy.engine.spelling_recurrent import STEPS, spelled_cell, spelled_recurrent
from seewhy.errors import MethodError

_SPELLED: Mapping[str, Callable[[Operation], Any]] = {
    "multi-head attention": spelled_multi_head,
    "attention": spelled_attention,
    **dict.fromkeys(STEPS, spelled_recurrent),
    **dict.fromkeys((f"{kind}_cell" for kind in STEPS), spelled_cell),
}
_LINEAR = ("convolution", "linear")
_FACTS = ("get", "size", "dim", "set", "requires_grad")


class Ruled(TorchFunctionMode):
    """Sees every torch operation of a pass, on this thread only, and nothing of it stays in the network.

    An operation is on the path where something that it takes hangs on the start of the graph.

    Attributes:
        met: how often each kind of operation was met on the path, and what was done with it.
        leaves: what went into the first linear or convolution, where the rules have a rewrite of their own for that: the tensor of the
            network's own graph, and the start of the graph from there on.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.rules = rules
        self.met: Counter[tuple[str, Status]] = Counter()
        self.leaves: list[tuple[Tensor, Tensor]] = []
        self._beyond = WeakIdKeyDictionary()
        self._computed = WeakIdKeyDictionary()

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
            self._mark(given, out, computed=True)
            return out
        try:
            out = self._rewritten(rewrite, Operation(kind, function, args, kwargs), leaf=first is not None)
        except MethodError as error:
            self.met[kind, "unsupported"] += 1
            raise NotCovered(str(error), self.coverage()) from error
        self.met[kind, "exact rule"] += 1
        self._mark(given, out, beyond=kind in _LINEAR, computed=True)
        return out

    def _rewritten(self, rewrite: Callable[[Operation], Any], operation: Operation, *, leaf: bool) -> Any:
        function, args, kwargs = operation.function, operation.args, operation.kwargs
        in_place = writes(function, kwargs)
        if in_place:
            plain = {name: value for name, value in kwargs.items() if name not in ("inplace", "out")}
            operation = Operation(operation.kind, out_of_place(function), (args[0].clone(), *args[1:]), plain)
        if leaf:
            operation = self._cut(operation)
        out = rewrite(operation)
        return args[0].copy_(out) if in_place else out

    def _cut(self, operation: Operation) -> Operation:
        """Begin a graph at the first operation: what comes back to it is relevance, which no other gradient may be added to.

        Raises:
            MethodError: the network does more to the image than to move it.
        """
        given = operation.input
        if given in self._computed:
            raise MethodError(
                "the network computes with the image before its first layer, so a rule for that layer says nothing about pixels; "
                "choose one without such a rule"
            )
        start = given.detach().requires_grad_()
        self.leaves.append((given, start))
        names = {name: value for name, value in operation.kwargs.items() if name != "input"}
        return Operation(
            operation.kind,
            operation.function,
            (start, *operation.args[1:]),
            names,
            lambda image: moved_to(given, image),
        )

    def _mark(self, given: list[Tensor], out: Any, *, beyond: bool = False, computed: bool = False) -> None:
        """Remember what lies behind a linear or a convolution, and what is more than moved; only rules for the first of them ask."""
        if self.rules.first is None:
            return
        for known, now in ((self._beyond, beyond), (self._computed, computed)):
            if now or any(tensor in known for tensor in given):
                for tensor in tensors((out,)) if out is not None else given[:1]:  # an assignment gives nothing back
                    known[tensor] = True

    def coverage(self) -> Coverage:
        """Return what was met, the most frequent first."""
        return Coverage(
            self.rules.name, tuple((kind, times, status) for (kind, status), times in self.met.most_common())
        )


def moved_to(tensor: Tensor, image: Tensor) -> Tensor:
    """Move an image as the start of the graph was moved to become this tensor: by the derivative of that, which is the same for all images."""
    node, start = tensor.grad_fn, tensor
    while node is not None:
        start = getattr(node, "variable", start)
        node = next((before for before, _ in node.next_functions if before is not None), None)
    if start is tensor:
        return image.to(tensor).expand_as(tensor)
    with torch.enable_grad():
        weights = torch.zeros_like(tensor, requires_grad=True)
        (back,) = torch.autograd.grad(tensor, start, weights, create_graph=True, retain_graph=True)
        (found,) = torch.autograd.grad(back, weights, image.to(start).expand_as(start))
    return found
