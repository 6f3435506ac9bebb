"""Principal components of rows of numbers."""

from typing import NamedTuple

import torch
from jaxtyping import Float
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

    Source: Pearson 1901, On lines and planes of closest fit; by singular value decomposition of the centred rows.
    """
    centred = rows.double() - rows.double().mean(dim=0)
    left, values, axes = torch.linalg.svd(centred, full_matrices=False)
    signs = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()[:, 0]
    variance = values.square()
    total = variance.sum()
    shares = variance / total if total > 0 else torch.zeros_like(variance)
    scores = left * (values * signs)
    return Components(scores[:, :count], (axes * signs[:, None])[:count], shares[:count])
