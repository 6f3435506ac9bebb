"""How the positions of an activation lie in the picture, or in the clip."""

from dataclasses import dataclass, replace
from math import prod

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """How the positions of an activation lie in the picture.

    Attributes:
        size: (h, w) of the grid, or more axes for clips and volumes.
        form: "channel-first" (b, c, *size), "channel-last" (b, *size, c), "tokens" (b, extra + h * w, c) or
            "flat" (b, c, extra + h * w).
        extra: tokens before the patches: class, distillation, registers.
        frames: where a layer sees each frame of a clip as a row of its own, (b * t, ...): how many frames; `form` is then that of one
            frame, and `size` is (t, h, w). 0 where a row is a whole image, clip or volume.
        order: of tokens, which axis of `size` changes slowest from one token to the next, and so on down to the fastest: (1, 2, 0) is place
            by place, each with all its frames. Empty where they go row by row, as `size` says.
    """

    size: tuple[int, ...]
    form: str
    extra: int = 0
    frames: int = 0
    order: tuple[int, ...] = ()

    def shape_of(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape (c, *spatial) of one row on the grid, from the shape in the layer's own layout."""
        return (raw[1] if self.form in ("channel-first", "flat") else raw[-1], *self.size)

    @property
    def of_frame(self) -> "Grid":
        """The grid of one frame, where each is a row."""
        return replace(self, size=self.size[1:], frames=0)

    def sequence(self) -> Int[Tensor, " n"]:
        """Return, for each place row by row, the number of its token among the patches."""
        patches = replace(self, extra=0)
        return patches.apply(torch.arange(prod(self.size)).view(1, -1, 1))[0, 0].flatten()

    def apply(self, activation: Tensor) -> Shaped[Tensor, "b c *spatial"]:
        """Return the activation as (b, c, *spatial), the extra tokens left out."""
        if self.frames:
            each = self.of_frame.apply(activation)
            return each.reshape(-1, self.frames, *each.shape[1:]).transpose(1, 2)
        if self.form == "channel-first":
            return activation
        if self.form == "channel-last":
            return activation.movedim(-1, 1)
        patches = activation.transpose(1, 2) if self.form == "tokens" else activation
        patches = patches[:, :, self.extra :]
        if not self.order:
            return patches.reshape(*patches.shape[:2], *self.size)
        laid = patches.reshape(*patches.shape[:2], *(self.size[axis] for axis in self.order))
        return laid.permute(0, 1, *(2 + self.order.index(axis) for axis in range(len(self.size))))


def raw_with(raw: Tensor, grid: Grid | None, activation: Float[Tensor, "b c *spatial"]) -> Tensor:
    """Return what a layer put out, in its own layout, with the part that has a grid replaced; tokens without a place stay."""
    if grid is not None and grid.frames:
        return raw_with(raw, grid.of_frame, activation.transpose(1, 2).flatten(0, 1))
    if grid is None or grid.form == "channel-first":
        return activation
    if grid.form == "channel-last":
        return activation.movedim(1, -1)
    ordered = activation.permute(0, 1, *(2 + axis for axis in grid.order)) if grid.order else activation
    patches = ordered.flatten(2)
    patches = patches.transpose(1, 2) if grid.form == "tokens" else patches
    axis = 1 if grid.form == "tokens" else 2
    extra = raw.narrow(axis, 0, grid.extra)
    extra = extra if len(extra) == len(patches) else extra.repeat(len(patches) // len(extra), 1, 1)
    return torch.cat([extra, patches], dim=axis)
