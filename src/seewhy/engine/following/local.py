"""Exact local recomputation: of a changed image, run only what the change reaches; everything else is read from a tape.

The image itself is taped once. A change then lies in a rectangle of each row, and an operation computes only the cells that can
differ (a `Patch`), reading what surrounds them from the tape. Where a patch has grown over most of its map, or an operation looks at
all of it, the patches are put into their maps and the rest runs as usual. Nothing is approximated.

Meanwhile the network holds hollow tensors of the right shape and full of NaN, so that whatever is computed past this mode shows.
"""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.core.rules import Operation
from seewhy.engine.following.patches import Pair, Patch, Rectangles, around
from seewhy.engine.following.taping import ALONE, FACTS, Entry, Reference
from seewhy.engine.operations import out_of_place, tensors
from seewhy.engine.replay import CannotCut

SHARE = 0.7
"""The part of a map from which on the whole of it is computed."""

TOGETHER = frozenset(["add", "sub", "rsub", "mul", "div", "maximum", "minimum", "pow", "cat", "concat", "concatenate"])
"""Operations on the cells of several maps at the same place."""

JOINS = frozenset(["cat", "concat", "concatenate"])
"""Those that take a list of maps."""

MOVED = frozenset(["permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims"])
"""Operations that only change the order of the axes."""

WHOLE = object()
"""Known of a tensor that holds whole maps, whose rows may differ anywhere."""

_PLAIN = (bool, int, float, str, torch.dtype, torch.device, torch.Size, torch.layout, type(None))


class _Known:
    """What is known of tensors, by which object they are, as long as they live.

    A patch; the whole map, where one was made for a hollow tensor; or `WHOLE`, where the tensor holds it itself.
    """

    def __init__(self) -> None:
        self._notes: dict[int, tuple[weakref.ref[Tensor], Any]] = {}

    def note(self, tensor: Tensor, known: Any) -> None:
        self._notes[id(tensor)] = (weakref.ref(tensor), known)

    def of(self, tensor: Any) -> Any:
        """Return what is known of a tensor; None if nothing is."""
        found = self._notes.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None


class Local(TorchFunctionMode):
    """Follows changes of the image through the network.

    Args:
        reference: the pass over the image itself.
        at: where each row differs from it.
        crop: what stands there (n, c, h, w).
        share: the part of a map from which on the whole of it is computed.

    Attributes:
        images: what the network is to be given, in the place of the changed images.

    Raises:
        CannotCut: the network went another way than over the image itself, or looked at values that differ.
    """

    def __init__(
        self, reference: Reference, at: Rectangles, crop: Float[Tensor, "n c h w"], share: float = SHARE
    ) -> None:
        super().__init__()
        self._entries = iter(reference.entries)
        self._share, self._rows = share, len(crop)
        self._known = _Known()
        self._nothing: dict[torch.dtype, Tensor] = {}
        self.images = self._hollow(Patch(reference.image, (2, 3), at, crop), reference.image)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") in FACTS:
            out = function(*args, **kwargs)
            if not isinstance(out, Tensor):
                return out
        entry = next(self._entries, None)
        if entry is None or entry.function != function:
            raise CannotCut(f"the network goes another way at {getattr(function, '__name__', function)}")
        seen = [known for tensor in tensors(args, kwargs) if (known := self._known.of(tensor)) is not None]
        if not seen:
            return function(*args, **kwargs)
        if entry.same and not entry.written:
            return args[0]
        if entry.plain:
            return self._fact(entry, args, kwargs)
        if isinstance(entry.out, Tensor) and all(isinstance(known, Patch) for known in seen):
            patch = self._patch(entry, args, kwargs, seen)
            if patch is not None:
                return self._hollow(patch, entry.out, args[0] if entry.written else None)
        return self._whole(entry, args, kwargs)

    def answer(self, output: Tensor) -> Tensor:
        """Return the answer of the network, whatever it gave."""
        found = self._made_whole(output)
        if not isinstance(found, Tensor) or found.isnan().any():
            raise CannotCut("a part of the network is not seen")
        return found

    def _hollow(self, patch: Patch, like: Tensor, handle: Tensor | None = None) -> Tensor:
        """Return the tensor that the network holds for a patch."""
        if handle is None:
            dtype = patch.crop.dtype
            if dtype not in self._nothing:
                self._nothing[dtype] = patch.crop.new_full((), float("nan"))
            handle = self._nothing[dtype].expand(self._rows, *like.shape[1:])
        self._known.note(handle, patch)
        return handle

    def _fact(self, entry: Entry, args: Any, kwargs: Any) -> Any:
        """Answer a question about values, or one whose answer a hollow tensor does not know."""
        name = getattr(entry.function, "__name__", "")
        if name in ("stride", "is_contiguous"):
            return entry.out
        out = self._whole(entry, args, kwargs)
        if not isinstance(out, _PLAIN) or out != entry.out:
            raise CannotCut(f"the network looks at values ({name})")
        return out

    def _whole(self, entry: Entry, args: Any, kwargs: Any) -> Any:
        """Run an operation on whole maps."""
        grown = [self._made_whole(value) for value in args]
        out = entry.function(*grown, **{name: self._made_whole(value) for name, value in kwargs.items()})
        for tensor in tensors((out, *grown[:1]) if entry.written else (out,)):
            self._known.note(tensor, WHOLE)
        return out

    def _made_whole(self, value: Any) -> Any:
        """Return a value with the whole map in the place of each hollow tensor; made once, as several operations may ask."""
        if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
            return type(value)(map(self._made_whole, value))
        known = self._known.of(value)
        if isinstance(known, Patch):
            known = known.whole()
            self._known.note(value, known)
        return known if isinstance(known, Tensor) else value

    def _patch(self, entry: Entry, args: Any, kwargs: Any, seen: list[Patch]) -> Patch | None:
        """Return the patch of what an operation gives; None where it is not followed."""
        first = self._known.of(args[0]) if args else None
        function = entry.function
        if entry.written:
            if first is None:
                return None
            function, kwargs = out_of_place(function), {key: value for key, value in kwargs.items() if key != "inplace"}
        operation = Operation(entry.kind, function, args, kwargs)
        if entry.kind in TOGETHER:
            return self._together(operation, entry.out, seen)
        if first is None or len(seen) > 1:
            return None
        rule = _RULES.get(entry.kind)
        return rule(operation, entry.out, first) if rule else self._slid(entry, first)

    def _slid(self, entry: Entry, patch: Patch) -> Patch | None:
        """Convolution and pool: the outputs that see the patch, from the inputs that they see."""
        slide = entry.slide
        if slide is None or patch.axes != (2, 3) or patch.base.dim() != 4:
            return None
        if slide.cellwise:
            return Patch(entry.out, patch.axes, patch.at, slide.run(patch.crop))
        bounds = (entry.out.shape[2], entry.out.shape[3])
        at = slide.reached(patch.at, bounds)
        if at.area > self._share * bounds[0] * bounds[1]:
            return None
        if entry.bordered is None:
            entry.bordered = slide.bordered(patch.base, bounds)
            _share_memory(patch.base, entry.bordered, slide.padding)
        crop = patch.read(slide.seen(at), entry.bordered, slide.padding)
        return Patch(entry.out, patch.axes, at, slide.run(crop))

    def _together(self, operation: Operation, out: Tensor, seen: list[Patch]) -> Patch | None:
        """Several maps: the rectangle around their patches, read from each."""
        axes = seen[0].axes
        bounds = (out.shape[axes[0]], out.shape[axes[1]])
        if any(patch.axes != axes or patch.bounds != bounds or patch.base.dim() != out.dim() for patch in seen):
            return None
        joins = operation.kind in JOINS
        if joins and operation.argument(1, "dim", 0) % out.dim() in (0, *axes):
            return None
        at = around([patch.at for patch in seen], bounds)
        if len(seen) > 1 and at.area > self._share * bounds[0] * bounds[1]:
            return None
        given = operation.args[0] if joins else operation.args
        others = [value for value in tensors(given, operation.kwargs) if self._known.of(value) is None]
        if not all(self._even(value, out.dim()) for value in others):
            return None

        def cut(value: Any) -> Any:
            if not isinstance(value, Tensor) or value.dim() == 0:
                return value
            known = self._known.of(value)
            return _cut(value, at, axes, out) if known is None else known.read(at)

        args = [cut(value) for value in given]
        kwargs = {name: cut(value) for name, value in operation.kwargs.items()}
        return Patch(out, axes, at, operation.function(*([args, *operation.args[1:]] if joins else args), **kwargs))

    def _even(self, value: Tensor, dim: int) -> bool:
        """Say whether an operand that nothing is known of is that of the image itself for all rows.

        One row for many changed images says so; where there is one image only, it may have been made from it out of sight.
        """
        return value.dim() < dim or (len(value) == 1 and (self._rows > 1 or isinstance(value, nn.Parameter)))


def _cut(value: Tensor, at: Rectangles, axes: Pair, out: Tensor) -> Tensor:
    """Return the part of such an operand that rectangles see."""
    value = value.reshape((1,) * (out.dim() - value.dim()) + value.shape)
    if all(value.shape[axis] == 1 for axis in axes):
        return value
    sizes = [out.shape[axis] if axis in axes else -1 for axis in range(out.dim())]
    return at.cut_from(value.expand(sizes), axes)


def _share_memory(base: Tensor, bordered: Tensor, border: Pair) -> None:
    """Let a taped map be a part of its copy that has a border, so that it is held only once."""
    base.data = bordered.narrow(2, border[0], base.shape[2]).narrow(3, border[1], base.shape[3])


def _alone(operation: Operation, out: Tensor, patch: Patch) -> Patch | None:
    """Cell by cell; what else it takes must be of the channels, on axis 1, or a number."""
    of_channels = operation.kind in ("batch norm", "prelu")
    training = operation.argument({"batch norm": 5, "dropout": 2}.get(operation.kind, 99), "training", default=False)
    if training or (
        1 in patch.axes if of_channels else next(tensors(operation.args[1:], operation.kwargs), None) is not None
    ):
        return None
    return Patch(out, patch.axes, patch.at, operation.on(patch.crop))


def _over_channels(operation: Operation, out: Tensor, patch: Patch) -> Patch | None:
    """Linear maps and layer norms over the last axes, where these are not the places."""
    axes = 1 if operation.kind == "linear" else len(operation.argument(1, "normalized_shape"))
    if max(patch.axes) >= patch.base.dim() - axes:
        return None
    return Patch(out, patch.axes, patch.at, operation.on(patch.crop))


def _moved(operation: Operation, out: Tensor, patch: Patch) -> Patch | None:
    """Find where the axes go from a hollow tensor whose axes all differ in length."""
    probe = torch.empty(tuple(range(2, 2 + patch.base.dim())), device="meta")
    order = [length - 2 for length in operation.on(probe).shape]
    if order[0] != 0:
        return None
    axes = (order.index(patch.axes[0]), order.index(patch.axes[1]))
    return Patch(out, axes, patch.at, operation.on(patch.crop))


def _padded(operation: Operation, out: Tensor, patch: Patch) -> Patch | None:
    edges, mode = operation.argument(1, "pad"), operation.argument(2, "mode", "constant")
    if patch.axes != (2, 3) or out.dim() != 4 or mode != "constant" or len(edges) not in (2, 4) or min(edges) < 0:
        return None
    top = edges[2] if len(edges) == 4 else 0
    return Patch(out, patch.axes, patch.at.moved(top, edges[0]), patch.crop)


_RULES: Mapping[str, Callable[[Operation, Tensor, Patch], Patch | None]] = {
    **dict.fromkeys(ALONE, _alone),
    **dict.fromkeys(("linear", "layer norm"), _over_channels),
    **dict.fromkeys(MOVED, _moved),
    "pad": _padded,
}
"""What is done with one patch, by kind of operation; whatever slides over its input is told apart by its name."""
