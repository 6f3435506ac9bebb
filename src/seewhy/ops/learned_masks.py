"""Masks that are learned: smooth by construction, of a given area, without ragged edges. All of it can be differentiated."""

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.ops.scales import scales


def cells_of(size: tuple[int, ...], cells: int) -> tuple[int, ...]:
    """Return how many cells a mask has along each axis: `cells` along the shorter side, in proportion along the other, none below a pixel.

    Along the frames of a clip, or the slices of a volume, there are as many, or one for each.
    """
    return tuple(
        max(1, round(length * min(1.0, cells / scale))) for length, scale in zip(size, scales(size), strict=True)
    )


def gauss_enlarged(
    masks: Float[Tensor, "m *cells"], size: tuple[int, ...], sigma: float
) -> Float[Tensor, "m *spatial"]:
    """Enlarge masks to a picture, each pixel the mean of the cells around it, weighed by a Gaussian of `sigma` cells.

    The weights of a pixel add up to 1, so a constant stays constant, also at the border.
    """
    drawn = masks
    for axis, length in enumerate(size, start=1):
        apart = _apart(length, masks.shape[axis], masks)  # (length, cells)
        weights = torch.softmax(-0.5 * (apart / sigma) ** 2, dim=1)
        drawn = (drawn.movedim(axis, -1) @ weights.T).movedim(-1, axis)
    return drawn


def smooth_max(values: Tensor, temperature: float) -> Tensor:
    """Return sum v exp(v / T) / sum exp(v / T) over the last axis: the maximum as T goes to 0, the mean as T grows."""
    return (values * torch.softmax(values / temperature, dim=-1)).sum(dim=-1)


def max_spread(masks: Float[Tensor, "m *cells"], width: float, temperature: float) -> Float[Tensor, "m *cells"]:
    """Spread each cell like a Gaussian hill of its own height, whose deviation is a share `width` of the side; where hills meet, the (smooth) maximum counts.

    m'(u) = smax_v k(u - v) m(v), with k(d) = exp(-d^2 / (2 sigma^2)) and sigma = width * cells along the shorter side (or along the frames). Gaussians are products, so one axis is done after the other, which
    gives the same for the maximum itself. A mask cannot then change faster than its hills do, and a cell of 1 stays (almost) 1.
    """
    spread = masks
    for axis, scale in enumerate(scales(tuple(masks.shape[1:])), start=1):
        cells, sigma = masks.shape[axis], width * scale
        kernel = torch.exp(-0.5 * (_apart(cells, cells, masks) / sigma) ** 2)  # (u, v)
        lines = spread.movedim(axis, -1)  # (..., v)
        spread = smooth_max(lines[..., None, :] * kernel, temperature).movedim(-1, axis)
    return spread


def area_loss(masks: Float[Tensor, "m *spatial"], areas: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """Return the mean squared distance of each mask's sorted values from a step: zeros, then ones on the share `area` of the places.

    It is zero only for a mask that is 1 on exactly that share and 0 elsewhere, wherever that is.
    """
    ordered = masks.flatten(1).sort(dim=1, stable=True).values
    places = ordered.shape[1]
    ones = torch.arange(places, device=masks.device) >= ((1 - areas) * places).round()[:, None]
    return (ordered - ones.to(ordered)).square().mean(dim=1)


def variation(masks: Float[Tensor, "m *cells"], power: float) -> Float[Tensor, " m"]:
    """Return sum over cells of (length of the gradient)^power, the gradient being the differences to the next cell along each axis."""
    squared = torch.zeros_like(masks)
    for axis in range(1, masks.dim()):
        last = masks.narrow(axis, masks.shape[axis] - 1, 1)
        squared = squared + torch.diff(masks, dim=axis, append=last).square()
    steps = squared.flatten(1)
    tiny = torch.finfo(masks.dtype).tiny  # a slope of zero has a derivative of zero
    return torch.where(steps > 0, steps.clamp_min(tiny), 1).pow(power / 2).where(steps > 0, 0).sum(dim=1)


def _apart(pixels: int, cells: int, like: Tensor) -> Float[Tensor, "pixels cells"]:
    """Return how far each pixel's centre is from each cell's, in cells."""
    centres = (torch.arange(pixels, device=like.device, dtype=like.dtype) + 0.5) * (cells / pixels) - 0.5
    return centres[:, None] - torch.arange(cells, device=like.device, dtype=like.dtype)
