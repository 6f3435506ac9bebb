"""Where a map has its mass: the strongest area, its share, its place."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def strongest(maps: Float[Tensor, "b *spatial"], share: float) -> Bool[Tensor, "b *spatial"]:
    """Mark the `share` of cells with the largest values; ties are broken by position, so the area is exact."""
    flat = maps.flatten(1)
    count = max(1, round(share * flat.shape[1]))
    order = flat.argsort(dim=1, descending=True, stable=True)[:, :count]
    return torch.zeros_like(flat, dtype=torch.bool).scatter(1, order, value=True).view(maps.shape)


def share_inside(maps: Float[Tensor, "b *spatial"], area: Bool[Tensor, "b *spatial"]) -> Float[Tensor, " b"]:
    """Return the share of the positive mass that lies in the area; NaN where a map has no positive mass."""
    positive = maps.clamp_min(0).flatten(1)
    return (positive * area.flatten(1)).sum(dim=1) / positive.sum(dim=1)
