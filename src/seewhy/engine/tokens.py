"""Where a transformer has put its sequence of tokens together, so that some of them can be dropped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from seewhy.engine.grid import Grid
from seewhy.engine.grids import find_grid
from seewhy.engine.recording import INTO, first_of, watching
from seewhy.engine.token_grids import Places
from seewhy.errors import OutOfMemory

TRIES = 12
"""Places that are tried, in the order in which they are reached; a network in which none of these works wants all of its tokens."""


@dataclass(frozen=True, eq=False)
class TokenPlace:
    """What a layer puts out, or is given (":in"), as tokens with places.

    Attributes:
        name: of the layer.
        tokens: (1, extra + h * w, c).
        grid: how they lie in the picture.
    """

    name: str
    tokens: Tensor
    grid: Grid

    def fewer(self) -> Tensor:
        """Return the tokens without a place, and half of the others."""
        return self.tokens[:, : self.grid.extra + max(1, (self.tokens.shape[1] - self.grid.extra) // 2)]

    def shuffled(self) -> Tensor:
        """Return the same, the patches in a random order: a regular one may keep rows and columns together."""
        fewer, extra = self.fewer(), self.grid.extra
        order = torch.randperm(fewer.shape[1] - extra, generator=torch.Generator().manual_seed(0)).to(fewer.device)
        return torch.cat([fewer[:, :extra], fewer[:, extra:][:, order]], dim=1)


def token_place(
    network: nn.Module, run: Callable[[], Tensor], input_size: Sequence[int], places: Places
) -> TokenPlace | None:
    """Return the first place that holds the whole sequence and behind which the network runs with fewer tokens, in any order.

    Before positions are added, or within a block whose shortcut goes round the place, it does not; nor where places are told by the number
    of a token in the sequence, as factorized attention of clips and positions within attention do: with some dropped, the others would
    be taken for tokens of other places. None where no place works.

    Args:
        network: its twin.
        run: runs it on one image, without gradients, and returns its answer.
        input_size: (h, w) of the image.
        places: grids that the network's maps have.
    """
    met = _met(network, run)
    grids = [find_grid(tensor, 1, input_size, module, places) for _, module, tensor in met]
    grid, most = max(
        (
            (grid, tensor.shape[1])
            for grid, (_, _, tensor) in zip(grids, met, strict=True)
            if grid and grid.form == "tokens"
        ),
        key=lambda one: one[1],
        default=(None, 0),
    )
    if grid is None:
        return None
    whole = [TokenPlace(name, tensor, grid) for name, _, tensor in met if tensor.shape[1] == most]
    found = next((place for place in whole[:TRIES] if _runs_with_fewer(network, run, place)), None)
    same = (place for place in whole if found and place.tokens.data_ptr() == found.tokens.data_ptr())
    return next((place for place in same if not place.name.endswith(INTO)), found)


def _met(network: nn.Module, run: Callable[[], object]) -> list[tuple[str, nn.Module | None, Tensor]]:
    """Return every tensor (1, n, c) that one pass hands to a layer or gets from it, in order; with the layer that made it."""
    met: list[tuple[str, nn.Module | None, Tensor]] = []

    def meet(name: str, module: nn.Module | None, value: Any) -> None:
        tensor = first_of(value)
        if tensor is not None and tensor.dim() == 3 and len(tensor) == 1 and tensor.is_floating_point():
            met.append((name, module, tensor.detach()))

    def before(name: str, module: nn.Module, args: Any) -> None:
        meet(name + INTO, None, args)

    def after(name: str, module: nn.Module, args: Any, output: Any) -> None:
        meet(name, module, output)

    handles = []
    for name, module in network.named_modules():
        if name:
            handles.append(module.register_forward_pre_hook(partial(before, name)))
            handles.append(module.register_forward_hook(partial(after, name)))
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return met


def _runs_with_fewer(network: nn.Module, run: Callable[[], Tensor], place: TokenPlace) -> bool:
    answers = []
    try:
        for tokens in (place.fewer(), place.shuffled()):
            with watching(network, frozenset(), frozenset(), {place.name: tokens}):
                answers.append(run())
    except (OutOfMemory, torch.OutOfMemoryError):
        raise
    except Exception:  # the network is the user's own code, and may raise anything where sizes do not fit
        return False
    plain, shuffled = answers
    least = torch.finfo(torch.float32).eps  # a softmax may be in single precision whatever the network is in
    slack = max(torch.finfo(plain.dtype).eps, least) ** (2 / 3)
    return plain.shape == shuffled.shape and bool((plain - shuffled).abs().max() <= slack * plain.abs().max())
