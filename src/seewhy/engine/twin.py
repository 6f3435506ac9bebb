"""A private twin of the user's network: its own modules, modes and hooks over the same weights."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from seewhy.engine.recurrent import open_recurrent, opened_recurrent
from seewhy.errors import ModelError

_LOCKS: "WeakKeyDictionary[nn.Module, threading.RLock]" = WeakKeyDictionary()


@torch.inference_mode(mode=False)
def twin(module: nn.Module) -> nn.Module:
    """Copy the module tree; parameters become frozen views of the same storage, buffers become copies.

    So the user's network is never touched, not even for a moment. Buffers are copied, because a network may write to them
    in its forward pass. Compiled modules are replaced by what they were compiled from, and backward hooks, which watch a
    training, are dropped. All modules are in eval mode, recurrent layers in a mode that computes the same. Weights made in inference mode, which autograd refuses, are copied too.

    Raises:
        ModelError: the network holds something that cannot be copied.
    """
    module = unwrapped(module)
    memo: dict[int, object] = {}
    for parameter in module.parameters():
        weight = parameter.detach()
        memo[id(parameter)] = nn.Parameter(weight.clone() if weight.is_inference() else weight, requires_grad=False)
    for part in module.modules():
        for value in [*part._buffers.values(), *vars(part).values()]:
            if isinstance(value, Tensor) and id(value) not in memo:
                memo[id(value)] = value.detach().clone()
    try:
        copied = copy.deepcopy(module, memo)
    except Exception as error:  # a module may hold anything, and its copy may raise anything
        raise ModelError(f"{type(module).__name__} cannot be copied ({type(error).__name__}: {error})") from error
    for part in copied.modules():
        part._backward_hooks.clear()
        part._backward_pre_hooks.clear()
        part._compiled_call_impl = None
        for name, child in part._modules.items():
            if child is not None:
                part._modules[name] = unwrapped(child)
    copied.eval()
    open_recurrent(copied)
    return copied


def unwrapped(module: nn.Module) -> nn.Module:
    """Return what a compiled or data-parallel module wraps; any other module as it is."""
    while True:
        if hasattr(module, "_orig_mod"):
            module = module._orig_mod  # type: ignore[assignment]
        elif isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            module = module.module
        else:
            return module


def lay_channels_last(module: nn.Module) -> dict[nn.Module, nn.Parameter]:
    """Lay the weights of a twin's 2-d convolutions as channels-last inputs want them; return the weights as they were.

    Else each pass converts each weight anew. Kernels of one pixel and of one channel are other views of the same storage; the rest is
    copied. Weights that are computed in each pass (parametrizations) stay as they are.
    """
    before: dict[nn.Module, nn.Parameter] = {}
    for part in module.modules():
        weight = part._parameters.get("weight")
        if not isinstance(part, nn.Conv2d) or weight is None:
            continue
        channels, height, width = weight.shape[1:]
        strides = (height * width * channels, 1, width * channels, channels)
        if weight.is_contiguous() and (channels == 1 or height == width == 1):
            laid = weight.detach().as_strided(weight.shape, strides)
        else:
            laid = weight.detach().contiguous(memory_format=torch.channels_last)
        before[part] = weight
        part.weight = nn.Parameter(laid, requires_grad=False)
    return before


@contextmanager
def borrowed(module: nn.Module) -> Iterator[None]:
    """Lend the user's own network for one pass, in eval mode and locked; every module's mode is put back."""
    with _LOCKS.setdefault(module, threading.RLock()):
        modes = [(part, part.training) for part in module.modules()]
        try:
            module.eval()
            with opened_recurrent(module):
                yield
        finally:
            for part, training in modes:
                part.training = training


def refuse_mixed_rows(module: nn.Module) -> None:
    """Raise `ModelError` where a layer computes with statistics of the batch even in eval mode: rows would mix."""
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise ModelError(
                f"{name} ({type(part).__name__}) keeps no running statistics, so each image changes the answer for the others; "
                "explain a copy with track_running_stats=True, or with GroupNorm in its place"
            )
