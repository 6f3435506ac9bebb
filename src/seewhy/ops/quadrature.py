"""Nodes and weights for averages over the unit interval."""

import numpy as np


def gauss_legendre(count: int) -> tuple[list[float], list[float]]:
    """Return nodes in (0, 1) and weights that sum to 1; exact for polynomials of degree 2 * count - 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()
