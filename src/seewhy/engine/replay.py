"""Run only what comes after a layer: everything before is answered from a tape of the reference pass."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.engine.attention.opening import opened
from seewhy.engine.operations import tensors
from seewhy.engine.recording import INTO, hooked, layer_of, split_call

_READS = frozenset(["item", "__bool__", "__int__", "__float__", "tolist", "__index__", "equal", "allclose"])
"""Operations whose plain result depends on values, not on shapes; before the cut they are answered from the tape."""


class CannotCut(Exception):  # noqa: N818 (never leaves the engine)
    """A network cannot be cut at a layer; the whole of it must run."""


@dataclass(eq=False)
class Entry:
    """One operation before the cut.

    Attributes:
        function: which one.
        out: what it gave for one image; a tensor only where something behind the cut reads it.
        shapes: shape and type of each tensor that it gave.
        grown: shape of each for two images.
        read: whether something behind the cut reads what it gave.
    """

    function: Any
    out: Any
    shapes: tuple[tuple[torch.Size, torch.dtype], ...]
    grown: tuple[torch.Size, ...] = ()
    read: bool = False

    def keep(self) -> None:
        """Keep what it gave as it is when it is first read behind the cut: what follows may write into it."""
        if self.read:
            return
        self.read = True
        self.out = _rebuilt(self.out, (tensor.clone() for tensor in tensors((self.out,))))


@dataclass(frozen=True, eq=False)
class Tape:
    """What a network did with one image before a layer handed on its output.

    Attributes:
        layer: where it is cut.
        entries: the operations before the cut, in their order.
        image: (1, c, *spatial).
        reads_image: whether something behind the cut reads the image itself.
    """

    layer: str
    entries: list[Entry]
    image: Tensor
    reads_image: bool


class _Record(TorchFunctionMode):
    """Keep what each operation gives until the cut; behind it, note what is read of that."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.cut: int | None = None
        self.reads_image = False
        self._image = image
        self._made: dict[int, list[Entry]] = {}  # several where one wrote into what another had made

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.cut is not None:
            for tensor in tensors(args, kwargs):
                self.reads_image |= tensor is self._image
                for entry in self._made.get(id(tensor), []):
                    entry.keep()
            return function(*args, **kwargs)
        out = function(*args, **kwargs)
        made = tuple(tensors((out,)))
        entry = Entry(function, out, tuple((tensor.shape, tensor.dtype) for tensor in made))
        self.entries.append(entry)
        for tensor in made:
            self._made.setdefault(id(tensor), []).append(entry)  # all of them live until the pass has ended
        return out


class Replay(TorchFunctionMode):
    """Answer the operations before the cut for any number of copies of the image; the layer itself is replaced by a hook."""

    def __init__(self, tape: Tape, copies: int) -> None:
        super().__init__()
        self._entries = iter(tape.entries)
        self._copies = copies

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        entry = next(self._entries, None)
        if entry is None:
            return function(*args, **(kwargs or {}))
        if entry.function != function:
            raise CannotCut(f"the network went another way at {getattr(function, '__name__', function)}")
        if entry.shapes:
            return self._answered(entry)
        if getattr(function, "__name__", "") in _READS:
            return entry.out
        return function(*args, **(kwargs or {}))

    def _answered(self, entry: Entry) -> Any:
        made = [
            _copied(tensor, shape, grown, self._copies)
            if entry.read
            else torch.zeros((), dtype=dtype).expand(_size(shape, grown, self._copies))
            for tensor, (shape, dtype), grown in zip(tensors((entry.out,)), entry.shapes, entry.grown, strict=True)
        ]
        return _rebuilt(entry.out, iter(made))


def _size(shape: torch.Size, grown: torch.Size, copies: int) -> list[int]:
    """Return a shape for so many copies of the image, from those for one and for two."""
    return [one + (two - one) * (copies - 1) for one, two in zip(shape, grown, strict=True)]


def hollow(image: Tensor, copies: int) -> Tensor:
    """Return a tensor in the shape of so many copies of an image that nobody reads; it takes no memory."""
    return image.new_zeros(()).expand(copies, *image.shape[1:])


def _copied(tensor: Tensor, shape: torch.Size, grown: torch.Size, copies: int) -> Tensor:
    """Return what an operation gave, for so many copies of the image; each replay has its own, as it may be written to."""
    axes = [axis for axis, (one, two) in enumerate(zip(shape, grown, strict=True)) if one != two]
    if not axes:
        return tensor.clone()
    if len(axes) > 1:
        raise CannotCut("an operation before the layer mixes images")
    times = [1] * tensor.dim()
    times[axes[0]] = copies
    if shape[axes[0]] == 1:
        return (
            tensor.expand(*(copies if axis == axes[0] else -1 for axis in range(tensor.dim())))
            .clone(memory_format=torch.preserve_format)
            .contiguous(memory_format=_format_of(tensor))
        )
    return tensor.repeat(times)


def _format_of(tensor: Tensor) -> torch.memory_format:
    last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def record(
    module: nn.Module,
    layer: str,
    image: Tensor,
    run: Callable[[Tensor, TorchFunctionMode], Any],
    like: Tape | None = None,
) -> Tape:
    """Run one image, then two, and keep what is needed to go on from a layer.

    Args:
        module: the network's twin.
        layer: where to cut, "relu#2" for its third call.
        image: (1, c, *spatial), as the module takes it.
        run: runs the network on an input under a mode.
        like: a tape of another image of this size; two images need not be run then.

    Raises:
        CannotCut: the layer does not run, or the two passes differ in more than the number of rows.
    """
    first = _watched(module, layer, image, run)
    others = _watched(module, layer, torch.cat([image, image]), run).entries if like is None else like.entries
    if first.cut is None or len(first.entries) != len(others):
        raise CannotCut("the operations before the layer depend on the number of images")
    for entry, other in zip(first.entries, others, strict=True):
        same = entry.function == other.function and len(entry.shapes) == len(other.shapes)
        if not same or any(len(a[0]) != len(b[0]) for a, b in zip(entry.shapes, other.shapes, strict=True)):
            raise CannotCut("the operations before the layer depend on the number of images")
        entry.grown = tuple(shape for shape, _ in other.shapes) if like is None else other.grown
        if entry.shapes and not entry.read:
            entry.out = _emptied(entry)
    return Tape(layer, first.entries, image, first.reads_image)


def _emptied(entry: Entry) -> Any:
    """Let go of tensors that nobody reads; their shapes stay."""
    hollow = [torch.zeros((), dtype=dtype).expand(shape) for shape, dtype in entry.shapes]
    return _rebuilt(entry.out, iter(hollow))


def _rebuilt(out: Any, made: Iterator[Tensor]) -> Any:
    """Return what an operation gave with its tensors replaced, one after the other."""
    if isinstance(out, Tensor):
        return next(made)
    if isinstance(out, (tuple, list)):
        parts = [_rebuilt(part, made) for part in out]
        return type(out)(*parts) if hasattr(out, "_fields") else tuple(parts) if isinstance(out, tuple) else parts
    return out


def _watched(module: nn.Module, layer: str, image: Tensor, run: Callable[[Tensor, TorchFunctionMode], Any]) -> _Record:
    mode = _Record(image)
    _, call = split_call(layer)
    left = call or 0

    def hook(*_: Any) -> None:
        nonlocal left
        if left == 0 and mode.cut is None:
            mode.cut = len(mode.entries)
        left -= 1

    name = split_call(layer)[0]
    handle = hooked(layer_of(module, layer), name, hook)
    try:
        with opened(module, [name.removesuffix(INTO)]):
            run(image, mode)
    finally:
        handle.remove()
    return mode
