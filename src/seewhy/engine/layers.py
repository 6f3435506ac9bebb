"""Which layers a network has, which of them have a spatial grid, and which one methods look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.engine.grids import Grid, find_grid, places_in
from seewhy.engine.recording import first_of, with_first

_POOLS = (
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.Flatten,
    nn.Upsample,
)
"""Layers that only put positions together or apart: the layer before them says more."""

_PASSING = (*_POOLS, nn.modules.dropout._DropoutNd, nn.Identity)
"""With those that hand on, in eval mode, the very tensor that they were given: another layer gives its name to it."""


@dataclass(frozen=True)
class Layer:
    """One layer as it ran: name, type, shape of what it put out, times it ran, and its grid if it has one."""

    name: str
    kind: str
    shape: tuple[int, ...]
    runs: int
    grid: Grid | None


@dataclass
class _Seen:
    """What the survey keeps of one module."""

    module: nn.Module
    outputs: list[Tensor]


def survey(network: nn.Module, run: Any, input_size: Sequence[int]) -> tuple[list[Layer], list[Tensor]]:
    """Run the network once, on one image, and list its layers in the order in which they finish, with what each put out last."""
    seen: dict[str, _Seen] = {}

    def hook(name: str, module: nn.Module, args: Any, output: Any) -> Any:
        tensor = first_of(output)
        if tensor is None or not tensor.is_floating_point():
            return None
        if tensor is not output:  # one of several outputs: a view of its own shows whether the answer depends on it
            tensor = tensor.view_as(tensor)
            output = with_first(output, tensor)
        entry = seen.pop(name, None) or _Seen(module, [])
        entry.outputs.append(tensor)
        seen[name] = entry
        return output

    handles = [module.register_forward_hook(partial(hook, name)) for name, module in network.named_modules() if name]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    grids = {name: find_grid(entry.outputs[-1], 1, input_size, entry.module) for name, entry in seen.items()}
    places = places_in(grids.values())
    layers = []
    for name, entry in seen.items():
        output = entry.outputs[-1]
        grid = find_grid(output, 1, input_size, entry.module, places) if output.dim() == 3 else grids[name]
        layers.append(Layer(name, type(entry.module).__name__, tuple(output.shape), len(entry.outputs), grid))
    return layers, [entry.outputs[-1] for entry in seen.values()]


def choose(
    network: nn.Module, layers: Sequence[Layer], outputs: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> str | None:
    """Choose the layer that methods look at: the last one with a grid at which the answer depends on the places; None if there is none.

    Pools and layers that pass on are left out, and so is everything that gives the very tensor that a pool gave. In a transformer
    only norms and blocks count, not the projections inside; after the last attention a class token no longer depends
    on the patches, which shows as a gradient of zero. Of several modules that give the same tensor, the outermost is named.
    """
    modules = dict(network.named_modules())
    passed = {
        _identity(out) for layer, out in zip(layers, outputs, strict=True) if isinstance(modules[layer.name], _POOLS)
    }
    chosen: int | None = None
    for index, (layer, output, gradient) in enumerate(zip(layers, outputs, gradients, strict=True)):
        if layer.grid is None or _identity(output) in passed or isinstance(modules[layer.name], _PASSING):
            continue
        if layer.grid.form != "channel-first" and isinstance(modules[layer.name], nn.Linear):
            continue
        if gradient is None or (layer.grid.apply(gradient).abs().amax(dim=1) > 0).sum() < 2 * len(output):
            continue
        same = chosen is not None and _identity(outputs[chosen]) == _identity(output)
        if layer.runs == 1 or not same:
            chosen = index
    if chosen is None:
        return None
    name, runs = layers[chosen].name, layers[chosen].runs
    return name if runs == 1 else f"{name}#{runs - 1}"


def _identity(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)


def adds_constant(module: nn.Module) -> bool:
    """Say whether a layer adds a constant to its output: a bias, the shift of a norm, the ceiling of a ReLU6."""
    return isinstance(module, nn.Hardtanh) or _bias(module) is not None


def constant(module: nn.Module, output: Tensor) -> Tensor:
    """Return what a layer adds to its output beyond what is linear in its input, in a shape that broadcasts to the output.

    Args:
        module: a layer that adds a constant.
        output: what it put out: (b, c, *spatial), or (b, n, c) where it has no grid.

    For a convolution or a linear layer that is its bias; for a batch norm in eval mode it is bias - mean * weight / deviation; for a
    ReLU6 it is 6 where it is saturated, since there the output does not follow the input.
    """
    if isinstance(module, nn.Hardtanh):
        return output * ((output <= module.min_val) | (output >= module.max_val))
    bias = _bias(module)
    if bias is None:
        return output.new_zeros(())
    channels_last = output.dim() == 3 and output.shape[-1] == len(bias)
    return bias.detach().to(output).view(-1, *[1] * (0 if channels_last else output.dim() - 2))


def _bias(module: nn.Module) -> Float[Tensor, " c"] | None:
    """Return the constant per channel that an affine layer adds; None for any other layer."""
    if (
        isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.running_mean is not None
        and module.running_var is not None
    ):
        scale = torch.rsqrt(module.running_var + module.eps)
        scale = scale if module.weight is None else scale * module.weight
        shift = -module.running_mean * scale
        return shift if module.bias is None else shift + module.bias
    return module.bias if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) else None
