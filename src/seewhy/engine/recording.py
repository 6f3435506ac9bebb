"""Watch layers during one forward pass, and start the graph no earlier than it is needed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from seewhy.engine.attention.opening import opened
from seewhy.errors import LayerError, nearest


@dataclass
class Watch:
    """What the watched layers put out, call by call."""

    calls: dict[str, list[Tensor]] = field(default_factory=dict)

    def of(self, name: str) -> Tensor:
        """Return the output of a layer, or of one of its calls ("relu#2"); raise `LayerError` where that is undecided."""
        base, call = split_call(name)
        calls = self.calls.get(base, [])
        if not calls:
            raise LayerError(
                f"layer {base!r} does not run in a forward pass of this network; choose another with `seewhy layers`"
            )
        if call is None and len(calls) > 1:
            raise LayerError(
                f"layer {base!r} runs {len(calls)} times per pass; name one call: {base}#0 to {base}#{len(calls) - 1}"
            )
        if call is not None and call >= len(calls):
            raise LayerError(f"layer {base!r} runs {len(calls)} times per pass, so there is no call {call}")
        return calls[call or 0]


def split_call(name: str) -> tuple[str, int | None]:
    """Split "relu#2" into the layer and the number of its call; None where no call is named."""
    base, mark, call = name.rpartition("#")
    return (base, int(call)) if mark and call.isdigit() else (name, None)


INTO = ":in"
"""The end of a name that means what a layer is given, instead of what it puts out."""


def into(layer: str) -> str:
    """Return the name of what a layer, or one of its calls, is given."""
    base, call = split_call(layer)
    return f"{base}{INTO}" if call is None else f"{base}{INTO}#{call}"


def layer_of(network: nn.Module, name: str) -> nn.Module:
    """Return the module called `name`; raise `LayerError` with the nearest names."""
    base = split_call(name)[0].removesuffix(INTO)
    with suppress(AttributeError):
        if base:
            return network.get_submodule(base)
    near = nearest(base, [known for known, _ in network.named_modules() if known])
    raise LayerError(
        f"no layer {base!r} in {type(network).__name__}"
        + (f"; nearest: {near}" if near else "")
        + "; `seewhy layers` lists them all"
    )


Change = Callable[[Tensor, Tensor], Tensor]
"""From what a layer is given and what it made to what it hands on."""

Put = Tensor | Change
NOTHING: Mapping[str, Put] = MappingProxyType({})


class Reached(BaseException):
    """Ends a pass that has given all that was wanted; no error, so that a network that catches its own does not catch it."""


@contextmanager
def watching(
    network: nn.Module,
    keep: frozenset[str],
    differentiate: frozenset[str],
    put: Mapping[str, Put] = NOTHING,
    *,
    stop: bool = False,
) -> Iterator[Watch]:
    """Keep what each layer puts out while the block runs; leave no hook behind.

    A layer in `differentiate` starts the graph if nothing before it did: its output becomes a leaf, and from there on
    operations are recorded. What comes before is then neither recorded nor differentiated. The next layer gets a copy, as it may write in place.

    A layer in `put` gives that tensor on, in its own layout, instead of what it made; everything before it runs in vain. A function there is
    called with what the layer is given and what it made. The name "encoder:in" means what the layer is given, its first argument.

    With `stop`, `Reached` is raised as soon as every layer in `keep` and `differentiate` has been seen, each in the call that is named.
    """
    watch = Watch()
    before: dict[str, Tensor] = {}
    missing = set(keep | differentiate)
    starts = {split_call(name)[0] for name in differentiate}
    wanted = {split_call(name)[0] for name in keep | differentiate}

    def hook(name: str, module: nn.Module, args: Any, output: Any) -> Any:
        tensor = first_of(output)
        calls = watch.calls.setdefault(name, [])
        call = len(calls)
        given = put.get(f"{name}#{len(calls)}", put.get(name))
        if tensor is not None and given is None and name not in wanted:
            calls.append(tensor)  # a call before the one that is replaced; it only counts
            return None
        if tensor is None or not tensor.is_floating_point():
            raise LayerError(
                f"layer {name!r} puts out {type(output).__name__}, not a floating-point tensor; choose another layer"
            )
        if given is not None and not isinstance(given, Tensor):
            given = given(before.pop(name, tensor), tensor)
        tensor = tensor if given is None else given
        if name not in starts:
            calls.append(tensor.clone() if given is None else given)
            end(name, call)
            if given is None:
                return None
            return with_first(output, given.clone() if name in wanted else given)  # what follows may write into it
        torch.set_grad_enabled(True)  # the pass as a whole runs inside a context that puts this back
        node = tensor if tensor.requires_grad else tensor.detach().requires_grad_()
        calls.append(node)
        end(name, call)
        return with_first(output, node.clone())

    def end(name: str, call: int) -> None:
        missing.difference_update({f"{name}#{call}"} if call else {name, f"{name}#0"})
        if stop and not missing:
            raise Reached

    with ExitStack() as stack:
        names = {split_call(name)[0] for name in keep | differentiate | put.keys()}
        stack.enter_context(opened(network, [name.removesuffix(INTO) for name in names]))
        for name in names:
            handle = hooked(layer_of(network, name), name, partial(hook, name))
            stack.callback(handle.remove)
        for name in {split_call(name)[0] for name, given in put.items() if not isinstance(given, Tensor)}:
            if not name.endswith(INTO):  # a copy, as the layer may write into what it is given
                keep_given = partial(_keep_given, before, name)
                stack.callback(layer_of(network, name).register_forward_pre_hook(keep_given).remove)
        yield watch


def _keep_given(before: dict[str, Tensor], name: str, module: nn.Module, args: Any) -> None:
    """Keep what a layer is given; raise `LayerError` where that is no tensor."""
    given = first_of(args)
    if given is None:
        raise LayerError(f"layer {name!r} is given no tensor as its first argument; choose another layer")
    before[name] = given.clone()


def hooked(module: nn.Module, name: str, hook: Callable[[nn.Module, Any, Any], Any]) -> RemovableHandle:
    """Have a forward hook called with what a layer puts out, or, where its name ends in ":in", with what it is given."""
    if not name.endswith(INTO):
        return module.register_forward_hook(hook)
    return module.register_forward_pre_hook(lambda part, args: hook(part, args, args))


def first_of(output: Any) -> Tensor | None:
    """Return the tensor that a layer puts out, also from a tuple or a model output whose first part is the tensor."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, (tuple, list)) and output:
        return output[0] if isinstance(output[0], Tensor) else None
    found = getattr(output, "last_hidden_state", None)
    return found if isinstance(found, Tensor) else None


def with_first(output: Any, tensor: Tensor) -> Any:
    """Return the layer's output with its tensor replaced."""
    if isinstance(output, Tensor):
        return tensor
    if isinstance(output, tuple) and hasattr(output, "_replace"):
        return type(output)(tensor, *output[1:])
    if isinstance(output, (tuple, list)):
        return type(output)([tensor, *output[1:]])
    return replace(output, last_hidden_state=tensor)
