"""Nodes and weights for averages over the unit interval."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def gauss_legendre(count: int, like: Tensor) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Return nodes in (0, 1) and weights that sum to 1; exact for polynomials of degree 2 * count - 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy((nodes + 1) / 2).to(like), torch.from_numpy(weights / 2).to(like)
