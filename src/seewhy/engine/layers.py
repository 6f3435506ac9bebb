"""Which layers a network has, which of them have a spatial grid, and which one methods look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from torch import Tensor, nn

from seewhy.engine.grid import Grid
from seewhy.engine.grids import find_grid, places_in
from seewhy.engine.recording import first_of, with_first
from seewhy.engine.sides import plain_side
from seewhy.engine.token_grids import Places

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


FEWEST = 4
"""Cells along a side of a grid, below which the pools of a pyramid are no grid for a map."""


@dataclass(frozen=True)
class Layer:
    """One layer as it ran: name, type, shape of what it put out, times it ran, and its grid if it has one."""

    name: str
    kind: str
    shape: tuple[int, ...]
    runs: int
    grid: Grid | None


@dataclass(frozen=True, eq=False)
class Survey:
    """All layers that ran, in the order in which they finished, what each put out last, and where their tokens may lie."""

    layers: list[Layer]
    outputs: list[Tensor]
    places: Places


Measure = Callable[[Places, Mapping[int, str]], Places]
"""From the sizes of a network's maps, and the first layer that puts out each number of tokens, to where its tokens lie."""


@dataclass
class _Seen:
    """What the survey keeps of one module."""

    module: nn.Module
    outputs: list[Tensor]


def survey(
    network: nn.Module, run: Callable[[], object], input_size: Sequence[int], measure: Measure | None = None
) -> Survey:
    """Run the network once, on one image, and look at every layer; the places of tokens are those of the maps where they are not measured."""
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
    places = measure(places, _first_tokens(seen)) if measure is not None else places
    layers = []
    for name, entry in seen.items():
        output = entry.outputs[-1]
        grid = find_grid(output, 1, input_size, entry.module, places) if output.dim() == 3 else grids[name]
        layers.append(Layer(name, type(entry.module).__name__, tuple(output.shape), len(entry.outputs), grid))
    return Survey(layers, [entry.outputs[-1] for entry in seen.values()], places)


def _first_tokens(seen: Mapping[str, _Seen]) -> dict[int, str]:
    """Return, for each number of tokens (1, n, c) that some layer puts out, the first layer that does."""
    firsts: dict[int, str] = {}
    for name, entry in seen.items():
        shape = entry.outputs[0].shape
        if len(shape) == 3 and shape[0] == 1 and plain_side(entry.module) != "first":
            firsts.setdefault(shape[1], name if len(entry.outputs) == 1 else f"{name}#0")
    return firsts


def choose(
    network: nn.Module, seen: Survey, gradients: Sequence[Tensor | None], answer_map: Tensor | None = None
) -> str | None:
    """Choose the layer that methods look at: the last one with a grid at which the answer depends on the places; None if there is none.

    Pools and layers that pass on are left out, and so is everything that gives the very tensor that a pool gave. In a transformer
    only norms and blocks count, not the projections inside; after the last attention a class token no longer depends
    on the patches, which shows as a gradient of zero. Of several modules that give the same tensor, the outermost is named.

    Args:
        network: the network.
        seen: its layers.
        gradients: of the answer, at each.
        answer_map: the answer, where it is a map of the picture itself, such as classes of its places. The last layers then lie over the
            answer, and a map of them repeats it: the last layer of the coarsest grid, behind which a decoder begins, is chosen instead.
    """
    modules, layers, outputs = dict(network.named_modules()), seen.layers, seen.outputs
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
        repeats = answer_map is not None and _identity(output) == _identity(answer_map)
        if answer_map is not None and chosen is not None and (repeats or _finer(layer.grid, layers[chosen].grid)):
            continue
        same = chosen is not None and _identity(outputs[chosen]) == _identity(output)
        if layer.runs == 1 or not same:
            chosen = index
    if chosen is None:
        return None
    name, runs = layers[chosen].name, layers[chosen].runs
    return name if runs == 1 else f"{name}#{runs - 1}"


def _finer(grid: Grid, than: Grid | None) -> bool:
    """Say whether a grid has more cells than another; one with fewer than `FEWEST` along a side shows no place, and counts as finer."""
    return than is not None and (prod(grid.size) > prod(than.size) or min(grid.size) < FEWEST <= min(than.size))


def _identity(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)
