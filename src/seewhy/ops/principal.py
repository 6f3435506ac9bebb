"""Principal components of rows of numbers."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from scipy.linalg import eigh  # type: ignore[import-untyped]
from torch import Tensor


class Components(NamedTuple):
    """Directions along which rows differ most, strongest first.

    Attributes:
        scores: where each row lies along each direction, the mean row at 0.
        axes: the directions, of length 1 and at right angles to each other.
        shares: of the variance, that each direction explains; 0 where the rows do not differ at all.
    """

    scores: Float[Tensor, "n k"]
    axes: Float[Tensor, "k c"]
    shares: Float[Tensor, " k"]


def principal_components(rows: Float[Tensor, "n c"], count: int = 3) -> Components:
    """Return the first principal components of rows, in float64.

    A direction may be turned round without explaining less, so its sign is fixed: the entry of largest magnitude is positive. That
    depends on the channels only, not on the order of the rows. There are at most min(n, c) components.

    Source: Pearson 1901, On lines and planes of closest fit; by singular value decomposition of the centred rows, or, where there are more rows than
        channels, by the eigenvectors of their products (c x c), which takes a fraction of the time.
    """
    centred = rows.double() - rows.double().mean(dim=0)
    axes, variance = _strongest(centred, count) if len(rows) > rows.shape[1] else _by_rows(centred, count)
    axes = axes * axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()
    total = centred.square().sum()
    shares = variance / total if total > 0 else torch.zeros_like(variance)
    return Components(centred @ axes.T, axes, shares)


def _by_rows(centred: Float[Tensor, "n c"], count: int) -> tuple[Float[Tensor, "k c"], Float[Tensor, " k"]]:
    _, values, axes = torch.linalg.svd(centred, full_matrices=False)
    return axes[:count], values[:count].square()


def _strongest(centred: Float[Tensor, "n c"], count: int) -> tuple[Float[Tensor, "k c"], Float[Tensor, " k"]]:
    channels = centred.shape[1]
    first = max(channels - count, 0)
    values, vectors = eigh((centred.T @ centred).cpu().numpy(), subset_by_index=[first, channels - 1])
    axes, variance = torch.from_numpy(vectors.T[::-1].copy()), torch.from_numpy(values[::-1].copy())
    return axes.to(centred), variance.to(centred).clamp_min(0)
