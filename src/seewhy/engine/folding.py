"""Batch norms, merged into the convolutions and linear layers before them: the same numbers from fewer operations."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from seewhy.engine.operations import kind_of, tensors
from seewhy.engine.twin import twin

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LINEAR = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED, nn.Linear)
_NORM = nn.modules.batchnorm._BatchNorm
_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_FACTS = ("get", "size", "dim", "is_contiguous", "stride", "numel")

Merged = tuple[nn.Module, frozenset[str]]
"""A network with merged norms, and the names of the layers whose output is another one now."""


def merged(module: nn.Module, run: Callable[[nn.Module], Tensor]) -> Merged | None:
    """Copy a twin and merge each batch norm into the convolution or linear layer whose output it alone reads.

    What reads what is found by running the copy once, so it holds for any way in which the network is written. Norms that cannot be
    merged exactly stay: those before a convolution, behind something else, called by function, or shared.

    Args:
        module: the twin, in eval mode.
        run: runs a network like it on one image, without gradients, and returns the answer.

    Returns:
        The copy, and the layers whose output has changed (the norm's is now theirs); None where there is nothing to merge, or
        where the answer would change.
    """
    if not any(isinstance(part, _NORM) for part in module.modules()):
        return None
    copied, watch = twin(module), _Watch()
    with watch.on(copied), watch:
        before = run(copied)
    pairs = watch.pairs()
    for linear, norm, folded, rest in pairs:
        _put(copied, linear, folded)
        _put(copied, norm, rest)
    if not pairs or not _close(run(copied), before):
        return None
    names = {part: name for name, part in copied.named_modules()}
    return copied, frozenset(names[folded] for _, _, folded, _ in pairs)


class _Watch(TorchFunctionMode):
    """Sees which linear layer's output each norm takes, and who else reads it."""

    def __init__(self) -> None:
        super().__init__()
        self._outputs: dict[int, tuple[nn.Module, Tensor, Tensor]] = {}
        self._reads: dict[int, int] = {}
        self._calls: dict[nn.Module, int] = {}
        self._found: list[tuple[nn.Module, nn.Module, nn.Module, nn.Module, int]] = []

    @contextmanager
    def on(self, network: nn.Module) -> Iterator[None]:
        """Watch the network's layers while the block runs; leave no hook behind."""
        with ExitStack() as stack:
            for part in [part for part in network.modules() if _mergeable(part)]:
                watch = self._linear if isinstance(part, _LINEAR) else self._norm if isinstance(part, _NORM) else None
                if watch is not None:
                    stack.callback(part.register_forward_hook(watch).remove)
            yield

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if kind_of(function) not in _FACTS or isinstance(out, Tensor):
            for tensor in tensors(args, kwargs):
                if id(tensor) in self._outputs:
                    self._reads[id(tensor)] = self._reads.get(id(tensor), 0) + 1
        return out

    def _linear(self, part: nn.Module, args: Any, output: Any) -> None:
        self._calls[part] = self._calls.get(part, 0) + 1
        if isinstance(output, Tensor) and len(args) == 1:
            self._outputs[id(output)] = (part, args[0].clone(), output)  # kept, so that no other tensor gets its id

    def _norm(self, norm: nn.Module, args: Any, output: Any) -> None:
        self._calls[norm] = self._calls.get(norm, 0) + 1
        made = self._outputs.get(id(args[0])) if args else None
        if made is None or not isinstance(output, Tensor):
            return
        linear, given, taken = made
        if isinstance(linear, nn.Linear) and taken.dim() != 2:
            return  # a norm takes axis 1 for its channels, a linear layer puts its own last
        with torch._C.DisableTorchFunction():
            folded, rest = _folded(linear, norm), _rest(norm)
            if _close(rest(folded(given)), output):
                self._found.append((linear, norm, folded, rest, id(taken)))

    def pairs(self) -> list[tuple[nn.Module, nn.Module, nn.Module, nn.Module]]:
        """Return linear layer, norm, and what stands in the place of each, where nobody else is concerned."""
        return [
            (linear, norm, folded, rest)
            for linear, norm, folded, rest, output in self._found
            if self._calls[linear] == self._calls[norm] == self._reads.get(output) == 1
        ]


def _mergeable(part: nn.Module) -> bool:
    """Say whether a module is what its weights say: nothing computes or changes them, or its output, from outside."""
    return not (part._forward_hooks or part._forward_pre_hooks or parametrize.is_parametrized(part))


def _folded(linear: Any, norm: Any) -> nn.Module:
    """Return the linear layer that gives what layer and norm give: weight * s and (bias - mean) * s + shift, with s = scale / deviation."""
    weight, bias = linear.weight.double(), linear.bias
    scale = 1 / (norm.running_var.double() + norm.eps).sqrt()
    scale = scale if norm.weight is None else scale * norm.weight.double()
    shift = -norm.running_mean.double() if bias is None else bias.double() - norm.running_mean.double()
    shift = shift * scale if norm.bias is None else shift * scale + norm.bias.double()
    if isinstance(linear, _TRANSPOSED):  # (in, out / groups, *kernel), the groups one after the other in the first axis
        grouped = weight.unflatten(0, (linear.groups, -1))
        scaled = (grouped * scale.view(linear.groups, 1, -1, *[1] * (weight.dim() - 2))).flatten(0, 1)
    else:
        scaled = weight * scale.view(-1, *[1] * (weight.dim() - 1))
    folded: nn.Module = _copied(linear)
    like = linear.weight
    laid = torch.empty_like(like).copy_(scaled)  # in the layout of the old one
    folded._parameters["weight"] = nn.Parameter(laid, requires_grad=False)
    folded._parameters["bias"] = nn.Parameter(shift.to(like), requires_grad=False)
    return folded


def _rest(norm: Any) -> nn.Module:
    """Return what is left of a norm: nothing, or the activation that some norms bring along."""
    if type(norm) in _PLAIN:
        return nn.Identity()
    rest: nn.Module = _copied(norm)
    rest._parameters |= _neutral(norm._parameters)
    rest._buffers["running_mean"] = torch.zeros_like(norm.running_mean)
    rest._buffers["running_var"] = torch.ones_like(norm.running_var) - norm.eps
    return rest


def _copied(part: Any) -> Any:
    """Return a module over the same weights, without the hooks that watch it."""
    made = copy.copy(part)
    made._parameters, made._buffers = dict(part._parameters), dict(part._buffers)
    made._forward_hooks = OrderedDict()
    return made


def _neutral(parameters: dict[str, Any]) -> dict[str, Any]:
    known = {"weight": torch.ones_like, "bias": torch.zeros_like}
    return {
        name: nn.Parameter(make(parameters[name]), requires_grad=False)
        for name, make in known.items()
        if parameters.get(name) is not None
    }


def _put(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place of another, under every name that it has."""
    for part in network.modules():
        for name, child in part._modules.items():
            if child is old:
                part._modules[name] = new


def _close(found: Tensor, expected: Tensor) -> bool:
    """Say whether two answers agree as well as their precision allows, beside the largest number in them."""
    slack = torch.finfo(expected.dtype).eps ** (2 / 3)
    off = (found - expected).abs().max() if expected.numel() else torch.zeros(())
    return found.shape == expected.shape and bool(off <= slack * expected.abs().max())
