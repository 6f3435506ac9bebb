"""Layers that run once for each frame of a clip, in a loop: all their calls together are rows, clip by clip, as in a layer that sees frames as rows."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.engine.recording import Change, Put

Steps = Mapping[str, int]
"""How often each layer that is meant with all its calls runs in one pass."""


class ByStep(ABC):
    """A function of what a layer is given and what it made, which may differ from call to call."""

    @abstractmethod
    def __call__(self, given: Tensor, made: Tensor) -> Tensor:
        """Return what the layer hands on."""

    @abstractmethod
    def of_step(self, number: int, count: int) -> Change:
        """Return the function of one call of so many."""


def spread(names: Iterable[str], steps: Steps) -> frozenset[str]:
    """Return names with each layer that runs in steps replaced by all its calls: "eye#0" to "eye#15"."""
    return frozenset(
        call
        for name in names
        for call in ([f"{name}#{number}" for number in range(steps[name])] if name in steps else [name])
    )


def spread_put(put: Mapping[str, Put], steps: Steps) -> dict[str, Put]:
    """Return what layers give on instead of what they make, call by call; a function that is the same for all of them is asked anew at each."""
    found: dict[str, Put] = {}
    for name, given in put.items():
        if name in steps and isinstance(given, Tensor):
            found |= {f"{name}#{number}": call for number, call in enumerate(apart(given, steps[name]))}
        elif name in steps and isinstance(given, ByStep):
            found |= {f"{name}#{number}": given.of_step(number, steps[name]) for number in range(steps[name])}
        else:
            found[name] = given
    return found


def together(calls: Sequence[Float[Tensor, "b ..."]]) -> Float[Tensor, "b_t ..."]:
    """Return all calls as rows: the frames of the first clip, those of the second, and so on."""
    return torch.stack(list(calls), dim=1).flatten(0, 1)


def apart(rows: Float[Tensor, "b_t ..."], count: int) -> tuple[Float[Tensor, "b ..."], ...]:
    """Return the calls whose rows these are."""
    found: tuple[Tensor, ...] = rows.reshape(-1, count, *rows.shape[1:]).unbind(dim=1)
    return found
