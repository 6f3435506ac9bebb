"""Rows of a pass that are equal are computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.engine.operations import kind_of, out_of_place, writes
from seewhy.engine.row_kinds import FACTS, HEAVY, row_by_row, work

_HELD = "_seewhy_rows"


@dataclass(eq=False)
class Rows:
    """A tensor (n, ...) of which only the different rows are kept.

    Attributes:
        own: (u, ...), the rows.
        where: for each of the n rows, which one it is.
    """

    own: Tensor
    where: Int[Tensor, " n"]
    _whole: list[Tensor] = field(default_factory=list)

    def whole(self) -> Tensor:
        """Return all n rows."""
        if not self._whole:
            self._whole.append(self.own.index_select(0, self.where))
        return self._whole[0]

    def handle(self) -> Tensor:
        """Return a tensor of the shape of all rows that takes no memory, and knows these rows."""
        hollow = self.own.new_zeros(()).expand(len(self.where), *self.own.shape[1:])
        setattr(hollow, _HELD, self)
        return hollow


def rows_of(tensor: Any) -> Rows | None:
    """Return the rows that a tensor stands for; None where it is what it is."""
    return getattr(tensor, _HELD, None) if isinstance(tensor, Tensor) else None


def whole(value: Any) -> Any:
    """Return a value with every tensor that stands for rows made real."""
    if isinstance(value, Tensor):
        rows = rows_of(value)
        return value if rows is None else rows.whole()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(whole, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(whole, value))
    if isinstance(value, dict):
        return {name: whole(part) for name, part in value.items()}
    return value


def found_by_value(tensor: Tensor) -> Rows:
    """Return the different rows of a tensor; rows are the same where every bit is."""
    axes = tuple(range(1, tensor.dim()))
    bits = tensor.view({8: torch.int64, 4: torch.int32, 2: torch.int16}[tensor.element_size()])
    parts = (bits, bits[..., ::2], bits[..., ::3])
    keys = torch.stack([part.sum(dim=axes, dtype=torch.int64) for part in parts], dim=1)
    _, where = torch.unique(keys, dim=0, return_inverse=True)
    first = _firsts(where)
    for row, group in enumerate(where.tolist()):
        if first[group] != row and not torch.equal(bits[row], bits[first[group]]):
            return Rows(
                tensor, torch.arange(len(tensor), device=tensor.device)
            )  # a coincidence of sums: nothing is shared
    return Rows(tensor.index_select(0, torch.tensor(first, device=tensor.device)), where)


def together(parts: Sequence[Rows]) -> tuple[list[Tensor], Int[Tensor, " n"]]:
    """Return the different combinations of rows of several tensors, and which one each row is."""
    if all(part.where is parts[0].where for part in parts):
        return [part.own for part in parts], parts[0].where
    _, where = torch.unique(torch.stack([part.where for part in parts], dim=1), dim=0, return_inverse=True)
    first = torch.tensor(_firsts(where), device=where.device)
    return [part.own.index_select(0, part.where[first]) for part in parts], where


def _firsts(where: Int[Tensor, " n"]) -> list[int]:
    """Return the first row of each group."""
    first: dict[int, int] = {}
    for row, group in enumerate(where.tolist()):
        first.setdefault(group, row)
    return [first[group] for group in range(len(first))]


class Sharing(TorchFunctionMode):
    """Run a pass so that operations which treat each row alone see each different row once.

    Clips that are made of the same frames have most rows in common: a network that sees each frame as a row sees it once for all clips, and one
    that goes from frame to frame has the same state for all clips that have begun alike. Where rows are equal is found at the first
    convolution (or linear layer, cell, attention) by comparing bits, and followed from there on; wherever an operation may mix rows, all of
    them are put together again. Exact, but for the rounding of the same products in packs of other sizes.

    Attributes:
        asked, made: multiply-adds of convolutions, linear layers and recurrent cells that the pass would take, and took.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = self.made = 0.0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        kind = kind_of(function)
        if kind in FACTS:
            found = function(*args, **kwargs)
            if kind != "get" or not isinstance(found, Tensor):
                return found
        elif args:
            shared = self._shared(function, kind, args, kwargs)
            if shared is not None:
                return shared
        if writes(function, kwargs) and args and rows_of(args[0]) is not None:
            return self._written(function, args, kwargs)
        return self._plain(function, kind, args, kwargs)

    def _plain(self, function: Any, kind: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """Run an operation on all rows."""
        args, kwargs = whole(tuple(args)), whole(dict(kwargs))
        out = function(*args, **kwargs)
        cost = work(kind, args, out)
        self.asked += cost
        self.made += cost
        return out

    def _written(self, function: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """Run an operation that writes into a tensor which stands for rows: from then on it stands for what was written."""
        real = rows_of(args[0]).whole().clone()  # type: ignore[union-attr]
        out = function(real, *whole(tuple(args[1:])), **whole(dict(kwargs)))
        setattr(args[0], _HELD, Rows(real, torch.arange(len(real), device=real.device)))
        return args[0] if out is real or out is None else out

    def _shared(self, function: Any, kind: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """Run an operation on different rows alone; None where that is not possible, or saves nothing."""
        taken = row_by_row(kind, function, args, kwargs, lambda tensor: rows_of(tensor) is not None)
        if taken is None:
            return None
        places, call = taken
        if kind not in HEAVY and not any(rows_of(place) is not None for place in places):
            return None
        parts = [rows_of(place) or found_by_value(place) for place in places]
        own, where = together(parts)
        if len(own[0]) == len(where) and not any(rows_of(place) is not None for place in places):
            return None
        changes = writes(function, kwargs)
        out = call(out_of_place(function) if changes else function, own)
        cost = work(kind, (own[0], *args[1:]), out)
        self.made += cost
        self.asked += cost / len(own[0]) * len(where)
        if changes and rows_of(args[0]) is not None:
            setattr(args[0], _HELD, Rows(out, where))
            return args[0]
        return _handles(out, where)


def _handles(out: Any, where: Int[Tensor, " n"]) -> Any:
    if isinstance(out, Tensor):
        return Rows(out, where).handle()
    return (
        type(out)(*(_handles(part, where) for part in out))
        if hasattr(out, "_fields")
        else tuple(_handles(part, where) for part in out)
    )
