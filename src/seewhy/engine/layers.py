"""Which layers a network has, which of them have a spatial grid, and which one methods look at."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

from torch import Tensor, nn

from seewhy.engine.frame_rows import FrameRows
from seewhy.engine.grid import Grid
from seewhy.engine.grids import find_grid, find_stepped_grid, places_in
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
    """One layer as it ran.

    Attributes:
        name, kind: its name and type.
        shape: of what it put out, in the last call.
        runs: times it ran.
        grid: of what it put out, if it has one.
        stepped: whether it ran once for each frame of the clip (or for several), and the grid is that of all its calls.
        carries: whether what it gives for a frame also depends on those before it, as the state of a recurrent cell does.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    runs: int
    grid: Grid | None
    stepped: bool = False
    carries: bool = False


@dataclass(frozen=True, eq=False)
class Survey:
    """All layers that ran, in the order in which they finished, what each put out last, where their tokens may lie, and all calls of each."""

    layers: list[Layer]
    outputs: list[Tensor]
    places: Places
    calls: list[list[Tensor]]


Measure = Callable[[Places, Mapping[int, str]], Places]
"""From the sizes of a network's maps, and the first layer that puts out each number of tokens, to where its tokens lie."""


MeasureRows = Callable[[Mapping[str, int]], Mapping[str, FrameRows]]
"""From the number of rows, or of calls, that each layer has for a clip, to what these are."""


@dataclass
class _Seen:
    """What the survey keeps of one module."""

    module: nn.Module
    outputs: list[Tensor]


def survey(
    network: nn.Module,
    run: Callable[[], object],
    input_size: Sequence[int],
    measure: Measure | None = None,
    measure_rows: MeasureRows | None = None,
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
    found = [_layer(name, entry, input_size, grids[name], places) for name, entry in seen.items()]
    layers = found if measure_rows is None else _with_rows(found, measure_rows)
    calls = [entry.outputs for entry in seen.values()]
    return Survey(layers, [outputs[-1] for outputs in calls], places, calls)


def _layer(name: str, entry: _Seen, input_size: Sequence[int], grid: Grid | None, places: Places) -> Layer:
    """Return one layer, with the grid that its shape tells."""
    output, runs = entry.outputs[-1], len(entry.outputs)
    if output.dim() == 3:
        grid = find_grid(output, 1, input_size, entry.module, places)
    stepped = None if grid is not None else find_stepped_grid(entry.outputs, input_size, entry.module, places)
    return Layer(
        name, type(entry.module).__name__, tuple(output.shape), runs, stepped or grid, stepped=stepped is not None
    )


def _with_rows(layers: Sequence[Layer], measure: MeasureRows) -> list[Layer]:
    """Return layers of which each row, or each call, was found to be a frame; those in another order have no grid."""
    counts = {layer.name: layer.grid.frames for layer in layers if layer.grid is not None and layer.grid.frames}
    rows = measure(counts)
    return [layer if layer.name not in counts else _measured(layer, rows[layer.name]) for layer in layers]


def _measured(layer: Layer, rows: FrameRows) -> Layer:
    if not rows.ordered:
        return replace(layer, grid=None, stepped=False)
    return replace(layer, carries=layer.stepped and rows.carries)


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
    The state of a recurrent cell says when something is remembered, not when it was seen, so it is chosen only where there is nothing else.

    Args:
        network: the network.
        seen: its layers.
        gradients: of the answer, at each.
        answer_map: the answer, where it is a map of the picture itself, such as classes of its places. The last layers then lie over the
            answer, and a map of them repeats it: the last layer of the coarsest grid, behind which a decoder begins, is chosen instead.
    """
    layers = seen.layers
    tries = (
        _memoryless(layers),
        [index for index, layer in enumerate(layers) if not layer.carries],
        range(len(layers)),
    )
    found = (_last(network, seen, gradients, answer_map, among) for among in tries)
    chosen = next((index for index in found if index is not None), None)
    if chosen is None:
        return None
    name, runs = layers[chosen].name, layers[chosen].runs
    return name if runs == 1 or layers[chosen].stepped else f"{name}#{runs - 1}"


def _memoryless(layers: Sequence[Layer]) -> list[int]:
    """Return which layers neither hand a state from frame to frame nor are a part of one that does, such as the gates of a recurrent cell."""
    cells = tuple(f"{layer.name}." for layer in layers if layer.carries)
    return [
        index
        for index, layer in enumerate(layers)
        if not layer.carries and not (cells and layer.name.startswith(cells))
    ]


def _last(
    network: nn.Module,
    seen: Survey,
    gradients: Sequence[Tensor | None],
    answer_map: Tensor | None,
    among: Iterable[int],
) -> int | None:
    """Return which of some layers is the last one in which the answer depends on places; None if there is none."""
    modules, layers, outputs = dict(network.named_modules()), seen.layers, seen.outputs
    passed = {
        _identity(out) for layer, out in zip(layers, outputs, strict=True) if isinstance(modules[layer.name], _POOLS)
    }
    chosen: int | None = None
    for index in among:
        layer, output, gradient = layers[index], outputs[index], gradients[index]
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
    return chosen


def _finer(grid: Grid, than: Grid | None) -> bool:
    """Say whether a grid has more cells than another; one with fewer than `FEWEST` along a side shows no place, and counts as finer."""
    return than is not None and (prod(grid.size) > prod(than.size) or min(grid.size) < FEWEST <= min(than.size))


def _identity(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)
