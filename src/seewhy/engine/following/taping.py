"""The tape of a pass over one image, from which changes of the image are followed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.core.rules import Operation
from seewhy.engine.following.sliding import Sliding, sliding
from seewhy.engine.operations import kind_of, tensors, writes
from seewhy.engine.replay import CannotCut

_SQUASHING = ["sigmoid", "tanh", "hardsigmoid", "softsign", "logsigmoid", "relu6", "clamp"]
_RECTIFYING = ["relu", "silu", "gelu", "hardswish", "elu", "selu", "celu", "leaky_relu", "prelu", "mish", "softplus"]
_ARITHMETIC = ["exp", "log", "abs", "neg", "sqrt", "rsqrt", "square", "reciprocal"]
_KEEPING = ["dropout", "contiguous", "clone", "detach", "to", "float", "double", "half", "bfloat16"]

ALONE = frozenset([*_SQUASHING, *_RECTIFYING, *_ARITHMETIC, *_KEEPING, "batch norm"])
"""Operations on the cells of one map, each cell for itself; nothing around a patch is read."""

FACTS = frozenset(["__get__", "size", "dim", "ndimension", "numel", "__len__", "is_floating_point", "is_complex"])
"""Questions about shape and kind, which a hollow tensor answers as the real one would; what is no tensor is not put on tape."""


@dataclass(eq=False)
class Entry:
    """One operation of the taped pass.

    Attributes:
        function: which one.
        kind: of operation.
        written: it writes into its first argument.
        slide: how it slides over its input, where it does.
        out: what it gave: a tensor (without numbers where nobody reads them), or anything else.
        same: it gave its first argument.
        plain: it gave no tensor.
        read: something may read the numbers around a patch.
        bordered: what it takes, with a border around; made when first wanted.
    """

    function: Any
    kind: str
    written: bool
    slide: Sliding | None
    out: Any = None
    same: bool = False
    plain: bool = False
    read: bool = False
    bordered: Tensor | None = None

    @classmethod
    def of(cls, function: Any, args: Any, kwargs: Mapping[str, Any]) -> "Entry":
        """Return what is known of an operation before it runs."""
        kind = kind_of(function)
        return cls(function, kind, writes(function, kwargs), sliding(Operation(kind, function, args, kwargs)))

    @property
    def alone(self) -> bool:
        """It treats each cell for itself."""
        return self.kind in ALONE or (self.slide is not None and self.slide.cellwise)


class Reference(TorchFunctionMode):
    """The tape of a pass over one image.

    Before an operation writes into a tensor, what the tape holds of it is copied.

    Args:
        run: runs the network on its input under a mode, and returns its answer.
        image: (1, c, h, w), as the network takes it.

    Raises:
        CannotCut: an operation writes into a part of a tensor, or into one that it is told to.
    """

    def __init__(self, run: Callable[[Tensor, TorchFunctionMode], Tensor], image: Float[Tensor, "1 c h w"]) -> None:
        super().__init__()
        self.image, self.entries = image, list[Entry]()
        self._makers: dict[int, Entry | None] = {}
        self._sharing: dict[int, set[int]] = {}
        self._alive: list[Tensor] = []
        given = image.clone(memory_format=torch.preserve_format)
        self._keep(given, None)
        self._read([run(given, self)])
        for entry in self.entries:
            if isinstance(entry.out, Tensor) and not entry.read:
                entry.out = entry.out.to("meta")
        self._makers, self._sharing, self._alive = {}, {}, []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") in FACTS:
            out = function(*args, **kwargs)
            if not isinstance(out, Tensor):
                return out
        entry = Entry.of(function, args, kwargs)
        if not entry.alone:
            self._read(list(tensors(args, kwargs)))
        if entry.written:
            self._before_writing(args, kwargs)
        entry.out = out = function(*args, **kwargs)
        entry.same = bool(args) and out is args[0]
        self.entries.append(entry)
        results = list(tensors((out,)))
        entry.plain = not results
        for made in results:
            if entry.written or id(made) not in self._makers:
                self._keep(made, entry)
        return out

    @property
    def size(self) -> int:
        """Bytes that the tape holds."""
        maps = [value for entry in self.entries for value in (entry.out, entry.bordered) if isinstance(value, Tensor)]
        storages = {
            held.data_ptr(): held.nbytes()
            for held in (one.untyped_storage() for one in maps)
            if held.device.type != "meta"
        }
        return sum(storages.values())

    def _keep(self, made: Tensor, entry: Entry | None) -> None:
        self._makers[id(made)] = entry
        self._alive.append(made)  # as long as the pass lasts, so that neither names nor places in memory are used again
        self._sharing.setdefault(made.untyped_storage().data_ptr(), set()).add(id(made))

    def _read(self, given: list[Tensor]) -> None:
        for tensor in given:
            entry = self._makers.get(id(tensor))
            if entry is not None:
                entry.read = True

    def _before_writing(self, args: Any, kwargs: Mapping[str, Any]) -> None:
        """Copy what the tape holds of a tensor that is about to change."""
        if isinstance(kwargs.get("out"), Tensor):
            raise CannotCut("an operation writes into a tensor that it is given")
        if id(args[0]) not in self._makers:
            return
        if len(self._sharing[args[0].untyped_storage().data_ptr()]) > 1:
            raise CannotCut("an operation writes into a part of a tensor")
        entry = self._makers[id(args[0])]
        if entry is not None and isinstance(entry.out, Tensor):
            entry.out = args[0].clone(memory_format=torch.preserve_format) if entry.read else args[0].to("meta")
