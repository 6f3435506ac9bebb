"""Which modules are the blocks of a network: those that add to what they are given, or the steps of its longest chain."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.engine.network import Network
from seewhy.engine.operations import kind_of, tensors
from seewhy.engine.recording import first_of, layer_of, split_call
from seewhy.errors import LayerError, MethodError

_ADDS = frozenset(["add", "sub", "add_", "sub_"])
_SAME = frozenset(["clone", "contiguous", "dropout", "to", "type_as", "float", "detach"])
"""What a block may do to what it is given before it adds to it."""


@dataclass(frozen=True)
class BlockPlace:
    """One block as it ran.

    Attributes:
        name: of the module; "block#1" for the second call of one that is called several times.
        kind: its class.
        fits: it hands on a tensor of the shape that it is given, so that it can be left out.
        residual: it adds to what it is given.
    """

    name: str
    kind: str
    fits: bool
    residual: bool


def blocks_of(
    network: Network, image: Float[Tensor, "1 c *spatial"], named: Sequence[str] = ()
) -> tuple[BlockPlace, ...]:
    """Return the blocks of a network, in the order in which they begin.

    Blocks are the modules of those classes of which one adds its own branch to what it is given, the outermost ones; where there is none, the
    parts with weights of the longest `nn.Sequential` or `nn.ModuleList` that runs.

    Args:
        network: which runs once.
        image: one image.
        named: names of modules that are to count as blocks instead.

    Raises:
        LayerError: a module that is named does not run, or gives no tensor.
        MethodError: no blocks are found.
    """
    for name in named:
        layer_of(network.module, name)
    watch = _Watch()
    with ExitStack() as stack:
        for name, module in network.module.named_modules():
            if name:
                begin, end = partial(watch.begin, name), partial(watch.end, name)
                stack.callback(module.register_forward_pre_hook(begin, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(end).remove)
        with torch.no_grad():
            network.watched(image, watch)
    return _of_names(watch, named) if named else _found(network.module, watch)


@dataclass(eq=False)
class _Call:
    """One call of a module that runs or has run."""

    name: str
    module: nn.Module
    given: Tensor | None
    aliases: set[int] = field(default_factory=set)
    residual: bool = False
    shapes: tuple[torch.Size, torch.Size] | None = None


class _Watch(TorchFunctionMode):
    """Sees which modules add to what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self._running: list[_Call] = []
        self._kept: list[Any] = []  # as long as these live, no other tensor gets their ids

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        kind, given = kind_of(function), [id(tensor) for tensor in tensors(args, kwargs or {})]
        for call in reversed(self._running):
            if not call.aliases.isdisjoint(given):
                if kind in _SAME:
                    call.aliases |= {id(tensor) for tensor in tensors((out,))}
                    self._kept.append(out)
                if kind in _ADDS and len(given) > 1:
                    call.residual = True
                    break  # those around it are given the same tensor, but it is this one that adds to it
        return out

    def begin(self, name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Note that a module begins, and what it is given; modules without weights count as part of those around them."""
        given = next((tensor for tensor in tensors(args, kwargs) if tensor.is_floating_point()), None)
        call = _Call(name, module, given)
        if given is not None and next(module.parameters(), None) is not None:
            call.aliases.add(id(given))
        self.calls.append(call)
        self._running.append(call)

    def end(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        """Note that a module has finished."""
        call, made = self._running.pop(), first_of(output)
        self._kept.append(made)
        if made is not None and made.is_floating_point() and call.given is not None:
            call.shapes = (call.given.shape, made.shape)


def _of_names(watch: _Watch, named: Sequence[str]) -> tuple[BlockPlace, ...]:
    places = {place.name: place for place in _places(watch.calls)}
    for name in named:
        if name not in places:
            calls = [known for known in places if split_call(known)[0] == name]
            raise LayerError(
                f"layer {name!r} runs {len(calls)} times per pass; name one call: {', '.join(calls)}"
                if calls
                else f"layer {name!r} does not run in a forward pass of this network, or gives no tensor; choose another"
            )
    return tuple(place for name, place in places.items() if name in named)


def _found(network: nn.Module, watch: _Watch) -> tuple[BlockPlace, ...]:
    classes = {type(call.module) for call in watch.calls if call.residual and type(call.module) is not nn.Sequential}
    members = [call for call in watch.calls if type(call.module) in classes]
    outermost = [call for call in members if not any(_inside(call.name, other.name) for other in members)]
    found = _places(watch.calls, {id(call) for call in outermost}) or _chain(network, watch)
    if len(found) < 2:
        raise MethodError(
            "no blocks are found in this network: no module adds to what it is given, and there is no chain of parts; "
            "name the modules that are to count as blocks"
        )
    return found


def _inside(name: str, other: str) -> bool:
    return name.startswith(f"{other}.")


def _chain(network: nn.Module, watch: _Watch) -> tuple[BlockPlace, ...]:
    """Return the parts with weights of the longest chain."""
    chains = [
        [f"{name}.{child}".removeprefix(".") for child, part in module.named_children() if _weighs(part)]
        for name, module in network.named_modules()
        if isinstance(module, (nn.Sequential, nn.ModuleList))
    ]
    names = max(chains, key=len, default=[])
    return _places(watch.calls, {id(call) for call in watch.calls if call.name in names})


def _weighs(part: nn.Module) -> bool:
    """Say whether there is a weight of more than one axis in a module: a linear map or a convolution, not a norm."""
    return any(weight.dim() > 1 for weight in part.parameters())


def _places(calls: Sequence[_Call], chosen: set[int] | None = None) -> tuple[BlockPlace, ...]:
    """Return those of the calls that gave a tensor, with the number of the call where there are several."""
    times: dict[str, int] = {}
    for call in calls:
        times[call.name] = times.get(call.name, 0) + 1
    counted: dict[str, int] = {}
    places = []
    for call in calls:
        number = counted.get(call.name, 0)
        counted[call.name] = number + 1
        if call.shapes is None or (chosen is not None and id(call) not in chosen):
            continue
        name = call.name if times[call.name] == 1 else f"{call.name}#{number}"
        same = call.shapes[0] == call.shapes[1]
        places.append(BlockPlace(name, type(call.module).__name__, same, call.residual))
    return tuple(places)
