"""What attention layers did in one pass."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seewhy.errors import GradientError

Pool = Literal["head", "mean"]
"""What the head is given of a layer's tokens: each as it is, or the mean of all in the place of each."""


@dataclass(frozen=True, eq=False)
class AttentionTrace:
    """The attention of one layer over the tokens of the picture.

    A layer that looks at the whole picture has one row of weights per image, and its m tokens are the n of the picture. A layer that
    looks within windows has one row per window; `slots` says where each token of the picture lies in them, shifts and padding
    accounted for. Methods mix the heads first and then use `carried` or `spread`, which are the same for both.

    A factorized transformer for clips (TimeSformer) looks along time within each place, and then within each frame. Its windows are the
    places, or the frames. A class token that takes no part has a slot of -1; one that is copied into every frame, and afterwards is the
    mean of its copies, has them in `copies` (and a slot of -1 too).

    Attributes:
        layer: name of the module that computes it.
        weights: (rows, heads, m, m): the second to last axis are the tokens that look, the last those that are looked at; they add up to 1.
        extra: tokens without a place that come first: class, distillation, registers.
        grid: (h, w), or (t, h, w) for clips, of the other n - extra tokens, row by row.
        gradient: derivative of the score at the weights.
        own_gradient: derivative at the weights of the score that the head gives to this layer's own output; None where the head does
            not fit that output, as at the earlier stages of a pyramid.
        slots: (b, n): for each token its position among the rows * m of the windows; None where the layer looks at the whole picture.
        copies: (b, extra, g): the positions of each token without a place that lies in all windows of its image; None where none does.
        by_frame: each frame of a clip is a row of its own, class token included, and frames never look at each other.
        read: of the last layer: the tokens whose output the answer depends on; empty where that was not found out.
    """

    layer: str
    weights: Float[Tensor, "rows heads m m"]
    extra: int
    grid: tuple[int, ...]
    gradient: Float[Tensor, "rows heads m m"] | None = None
    own_gradient: Float[Tensor, "rows heads m m"] | None = None
    slots: Int[Tensor, "b n"] | None = None
    read: tuple[int, ...] = ()
    copies: Int[Tensor, "b extra g"] | None = None
    by_frame: bool = False

    @property
    def factorized(self) -> bool:
        """Whether tokens without a place are copied into the windows of this layer, or stay outside of all."""
        return self.slots is not None and bool((self.slots < 0).any())

    @property
    def tokens(self) -> int:
        """How many tokens the picture has here."""
        return self.extra + prod(self.grid)

    @property
    def images(self) -> int:
        """How many images the trace is of."""
        return len(self.weights if self.slots is None else self.slots)

    @property
    def slope(self) -> Float[Tensor, "rows heads m m"]:
        """The derivative of the score at the weights; raise `GradientError` where it was not asked for."""
        if self.gradient is None:
            raise GradientError("no gradient of the attention is there; ask for it: probe.attention(gradients=True)")
        return self.gradient

    def carried(
        self,
        share: Float[Tensor, "b n"],
        matrix: Float[Tensor, "rows m m"],
        *,
        alone: float = 0.0,
        divided: bool = True,
    ) -> Float[Tensor, "b n"]:
        """Return share @ matrix: what each token is given, where each token that looks has so much to give.

        What goes to padding within windows belongs to no place, and is lost.

        Args:
            share: what each token has to give.
            matrix: what each token that looks gives to each that is looked at.
            alone: which part of what a token has stays with it where it takes no part in the layer.
            divided: a token with several copies gives each copy an equal part, as the mean of them does. Otherwise each copy gives the whole:
                for weights times their gradient, which has that division in it already.
        """
        if self.slots is None:
            return (share[:, None] @ matrix)[:, 0]
        rows, size = matrix.shape[:2]
        inside = self.slots >= 0
        laid = share.new_zeros(rows * size).index_add(0, self.slots[inside], share[inside])
        if self.copies is not None:
            each = share[:, : self.extra, None] / (self.copies.shape[2] if divided else 1)
            laid = laid.index_add(0, self.copies.flatten(), each.expand(self.copies.shape).flatten())
        given = (laid.view(rows, 1, size) @ matrix).flatten()
        found = given[self.slots.clamp_min(0)].where(inside, alone * share)
        if self.copies is None:
            return found
        return torch.cat([given[self.copies].sum(dim=2), found[:, self.extra :]], dim=1)

    def spread(self, matrix: Float[Tensor, "rows *heads m m"], *, alone: float = 0.0) -> Float[Tensor, "b *heads n n"]:
        """Return a matrix over all tokens of the picture: between different windows it is zero. `alone` as in `carried`.

        Of a layer whose class token is copied or stays outside, the matrix has no heads.
        """
        if self.slots is None:
            return matrix
        if self.factorized:
            return self._row_by_row(matrix, alone)
        window, place = self.slots // matrix.shape[-1], self.slots % matrix.shape[-1]  # (b, n)
        heads_last = matrix.movedim((-2, -1), (1, 2))  # (rows, m, m, *heads)
        found = heads_last[window[:, :, None], place[:, :, None], place[:, None, :]]
        same = window[:, :, None] == window[:, None, :]
        kept = found * same.view(*same.shape, *[1] * (found.dim() - 3))
        return kept.movedim((1, 2), (-2, -1))

    def _row_by_row(self, matrix: Float[Tensor, "rows m m"], alone: float) -> Float[Tensor, "b n n"]:
        each = torch.eye(self.tokens, dtype=matrix.dtype, device=matrix.device)
        rows = [self.carried(row.expand(self.images, -1), matrix, alone=alone) for row in each]
        return torch.stack(rows, dim=1)

    def asked(self) -> Float[Tensor, "b n"]:
        """Return how much each token's view counts: class and distillation tokens equally where the answer is read from them; else all
        tokens that it is read from.
        """
        named = [token for token in self.read if token < self.extra] or self.read or range(self.tokens)
        share = self.weights.new_zeros(self.images, self.tokens)
        share[:, list(named)] = 1 / len(named)
        return share

    def outside(self) -> Bool[Tensor, "b n"]:
        """Say which tokens take no part in the layer."""
        if self.slots is None:
            return torch.zeros(self.images, self.tokens, dtype=torch.bool, device=self.weights.device)
        return (self.slots < 0) if self.copies is None else torch.zeros_like(self.slots, dtype=torch.bool)

    def drawn(self, share: Float[Tensor, "b n"]) -> Float[Tensor, "b *spatial"]:
        """Return what the tokens with a place have, on the grid."""
        return share[:, self.extra :].reshape(len(share), *self.grid)
