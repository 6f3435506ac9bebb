"""Whether the rows of a layer, or its calls, are the frames of a clip one after the other: measured, by changing the first frames and the last."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.engine.recording import first_of, layer_of, watching
from seewhy.errors import OutOfMemory, ShapeError

CLEARLY = 1.25
"""How many times as much a row must change with the frames that are its own as any other row does."""
NOTHING = 1e-6
"""Share of the largest change that is rounding."""
CLIPS = 3
"""The clip itself, the clip with other last frames, and the clip with other first frames."""


@dataclass(frozen=True)
class FrameRows:
    """What was measured of a layer that gives several rows, or runs several times, for one clip.

    Attributes:
        count: rows (or calls) for each clip.
        ordered: whether the first is that of the first frames, and the last that of the last frames, clip by clip.
        carries: whether a later one also depends on earlier frames and no earlier one on later frames, as a state that is handed on does.
    """

    count: int
    ordered: bool
    carries: bool


@dataclass(frozen=True, eq=False)
class _Changes:
    """By how much each row of each call changed with the last frames, and with the first ones."""

    last: list[Tensor]
    first: list[Tensor]


def measured(
    network: nn.Module,
    run: Callable[[Tensor], object],
    clip: Float[Tensor, "1 c t h w"],
    counts: Mapping[str, int],
) -> dict[str, FrameRows]:
    """Return what the rows or calls of each layer are; one pass of three clips, or three of one where the network takes one at a time.

    A row of its own for each frame changes most with that frame. Rows that are windows of the picture, or that go frame by frame through all
    clips of a batch, do not. In a network that takes one clip at a time there is no such order to tell apart.

    Args:
        network: its twin.
        run: runs it.
        clip: one input of random numbers.
        counts: by layer, how many rows or calls there are for each clip.
    """
    made: dict[str, FrameRows] = {}
    for count in sorted(set(counts.values())):
        names = [name for name, rows in counts.items() if rows == count]
        clips = _changed(clip, count)
        try:
            changes = _watched(network, names, partial(run, clips))
        except (OutOfMemory, torch.OutOfMemoryError):
            raise
        except (
            Exception
        ):  # the network is the user's own code, and may take one clip only; what is wrong with one clip shows there
            changes = _one_by_one(network, names, run, clips)
        made |= {name: _verdict(changes[name], count) for name in names}
    return made


def _changed(clip: Float[Tensor, "1 c t h w"], count: int) -> Float[Tensor, "3 c t h w"]:
    """Return the clip, and the same with other last frames and with other first frames: as many as one of so many rows stands for."""
    frames = clip.shape[2]
    some = -(-frames // count)
    other = 2 * torch.randn(clip.shape, generator=torch.Generator().manual_seed(1)).to(clip)
    last, first = clip.clone(), clip.clone()
    last[:, :, frames - some :] = other[:, :, frames - some :]
    first[:, :, :some] = other[:, :, :some]
    return torch.cat([clip, last, first])


def _watched(network: nn.Module, names: Iterable[str], run: Callable[[], object]) -> dict[str, _Changes]:
    """Run a batch of the three clips, and keep of each row only by how much it changed."""
    changes = {name: _Changes([], []) for name in names}

    def hook(name: str, module: nn.Module, args: Any, output: Any) -> None:
        tensor = first_of(output)
        if tensor is None or len(tensor) % CLIPS:
            raise ShapeError(f"layer {name!r} gives no rows for each of {CLIPS} clips")
        _see(changes[name], *tensor.detach().float().reshape(CLIPS, len(tensor) // CLIPS, -1))

    with ExitStack() as stack:
        for name in changes:
            handle = layer_of(network, name).register_forward_hook(partial(hook, name))
            stack.callback(handle.remove)
        run()
    return changes


def _one_by_one(
    network: nn.Module, names: Iterable[str], run: Callable[[Tensor], object], clips: Float[Tensor, "3 c t h w"]
) -> dict[str, _Changes]:
    """Run the three clips one by one."""
    made: list[dict[str, list[Tensor]]] = []
    for clip in clips:
        with watching(network, frozenset(names), frozenset()) as watch:
            run(clip[None])
        made.append(watch.calls)
    changes = {name: _Changes([], []) for name in names}
    for name, found in changes.items():
        for calls in zip(*(one[name] for one in made), strict=True):
            _see(found, *(call.detach().float().flatten(1) for call in calls))
    return changes


def _see(
    changes: _Changes,
    plain: Float[Tensor, "rows n"],
    last: Float[Tensor, "rows n"],
    first: Float[Tensor, "rows n"],
) -> None:
    """Note by how much the rows of one call changed."""
    changes.last.append((last - plain).norm(dim=1))
    changes.first.append((first - plain).norm(dim=1))


def _verdict(changes: _Changes, count: int) -> FrameRows:
    last, first = torch.cat(changes.last), torch.cat(changes.first)
    if len(last) != count or count == 1:
        return FrameRows(count, ordered=len(last) == 1, carries=False)
    causal = bool(last[:-1].max() <= NOTHING * last[-1]) and bool(last[-1] > 0)
    ordered = bool(last[-1] > CLEARLY * last[:-1].max()) and bool(
        (first[0] > CLEARLY * first[1:].max()) | ((first[0] > 0) & causal)
    )
    carries = causal and bool(first[1:].max() > NOTHING * first[0])
    return FrameRows(count, ordered, carries)
