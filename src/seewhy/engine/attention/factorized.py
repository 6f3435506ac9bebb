"""Factorized attention of clips: along time within each place, and within each frame, with a class token that is copied into all frames."""

from collections.abc import Iterable
from dataclasses import replace
from math import prod

import torch
from jaxtyping import Int
from torch import Tensor

from seewhy.engine.attention.layout import Layout
from seewhy.engine.attention.numbering import OTHERS, gradient_at, mixture_of, row_by_row, token_slots
from seewhy.engine.attention.record import Finished, Record, Seen
from seewhy.engine.grid import Grid
from seewhy.errors import MethodError

ROUNDING = 1e-4
"""What is so small beside the largest number of its kind is rounding."""


def factorized_layout(record: Record, seen: Seen, source: Tensor, grid: Grid, extra: int) -> Layout:
    """Find where the tokens of one factorized attention lie, those without a place included: by gradients, from a pass that kept its graph.

    Patches are numbered as those of windows are. Tokens without a place take no part (no value depends on them); or one is what the remaining
    values are made of, one in each window, and what the layer makes of it must be the mean of what it makes of these copies.

    Args:
        record: of the pass.
        seen: the attention.
        source: what a layer before it put out, as tokens.
        grid: how these lie in the clip.
        extra: tokens without a place in the network's whole sequence; in `source` they may be missing.

    Raises:
        MethodError: the tokens are arranged in another way.
    """
    value, name, count = seen.value, seen.name, extra + prod(grid.size)
    before = _whole(reversed(record.finished[: seen.before]), count)
    if value is None or before is None:
        raise MethodError(f"no layer before {name} puts out the whole sequence of {count} tokens; {OTHERS}")
    patches = row_by_row(token_slots(source, value, name, grid.extra), replace(grid, extra=0))
    outside = patches.new_full((len(patches), extra), -1)
    slots = torch.cat([outside, patches], dim=1)
    left = _left_over(value, patches)
    mixture = mixture_of(value).expand(value.shape)
    if not len(left):
        if _felt(before, value, mixture, name)[:, :extra].any():
            raise _unknown(name)
        return Layout(extra, grid.size, slots)
    copies = _copies(left, value, len(patches), extra, name)
    feeding = torch.zeros(len(value) * value.shape[-2], dtype=torch.bool, device=value.device)
    feeding[left] = True
    fed = feeding.view(len(value), *[1] * (value.dim() - 3), -1, 1)
    from_copies, from_patches = (_felt(before, value, mixture * part, name) for part in (fed, ~fed))
    if from_copies[:, extra:].any() or from_patches[:, :extra].any() or not from_copies[:, :extra].all():
        raise _unknown(name)
    _check_mean(seen, _whole(record.finished[seen.before :], count), copies)
    return Layout(extra, grid.size, slots, copies)


def _whole(finished: Iterable[Finished], count: int) -> Tensor | None:
    """Return the first output that is the whole sequence."""
    fitting = (one for one in finished if len(one.shape) == 3 and one.shape[1] == count)
    return next((one.tensor for one in fitting), None)


def _left_over(value: Tensor, patches: Int[Tensor, "b n"]) -> Int[Tensor, " s"]:
    """Return the positions among the values that are no patch."""
    free = torch.ones(len(value) * value.shape[-2], dtype=torch.bool, device=value.device)
    free[patches.flatten()] = False
    return free.nonzero()[:, 0]


def _copies(left: Int[Tensor, " s"], value: Tensor, images: int, extra: int, name: str) -> Int[Tensor, "b 1 g"]:
    """Return the positions that are left over as those of one token, which has one in each window."""
    windows = torch.arange(len(value), device=left.device)
    if extra != 1 or len(value) % images or not torch.equal(left // value.shape[-2], windows):
        raise _unknown(name)
    return left.view(images, 1, -1)


def _felt(before: Tensor, value: Tensor, weights: Tensor, name: str) -> Tensor:
    """Say which tokens of the whole sequence some values depend on, (b, n)."""
    size = gradient_at(before, value, weights, name).norm(dim=-1)
    felt: Tensor = size > ROUNDING * size.max()
    return felt


def _check_mean(seen: Seen, after: Tensor | None, copies: Int[Tensor, "b 1 g"]) -> None:
    """Raise `MethodError` where the token is not, behind the layer, the mean of what became of its copies."""
    if after is None or seen.made is None:
        raise MethodError(f"no layer behind {seen.name} puts out the whole sequence of tokens; {OTHERS}")
    (found,) = torch.autograd.grad(
        after[:, 0], [seen.made], mixture_of(after).expand(after[:, 0].shape), retain_graph=True
    )
    by_place = found.movedim(-2, 1).flatten(0, 1).flatten(1)  # (rows * m, heads * c)
    each = by_place[copies[:, 0]]  # (b, g, heads * c)
    others = by_place.clone()
    others[copies.flatten()] = 0
    apart = (each - each.mean(dim=1, keepdim=True)).abs().max()
    limit = 10 * ROUNDING * each.abs().max()
    if not (apart <= limit and others.abs().max() <= limit):
        raise MethodError(
            f"behind {seen.name} the class token is not the mean of its copies in the windows, and what it gathers cannot be followed; {OTHERS}"
        )


def _unknown(name: str) -> MethodError:
    return MethodError(f"how the tokens without a place take part in {name} is not understood; {OTHERS}")
