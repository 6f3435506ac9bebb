"""Codes of least squared error that are never negative, for very many activations at once."""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 16_384
"""Activations whose codes are moved together."""
SWEEPS = 300
TOLERANCE = 1e-4
"""A row is done when a sweep moves none of its codes by more than this share of its largest."""


def nonnegative_codes(rows: Float[Tensor, "m c"], atoms: Float[Tensor, "k c"]) -> Float[Tensor, "m k"]:
    """Return the u >= 0 that minimizes |a - u D|² for each row a.

    By coordinate descent on the normal equations: u_j <- max(0, u_j + (b_j - (u G)_j) / G_jj) with G = D D^T and b = a D^T (Lawson and
    Hanson 1974 state the problem; Franc et al. 2005, doi 10.1007/11556121_50, this algorithm). A row that is done stays, so that its codes do
    not depend on those beside it. It starts at the solution without the bound, cut at 0. An atom of length 0 has code 0.
    """
    exact = atoms.double()
    gram, inverse = (exact @ exact.T).to(rows), torch.linalg.pinv(exact @ exact.T).to(rows)
    wanted = atoms @ rows.T
    return torch.cat([_descended(part, gram, inverse) for part in torch.split(wanted, BLOCK, dim=1)], dim=1).T


def _descended(
    wanted: Float[Tensor, "k m"], gram: Float[Tensor, "k k"], inverse: Float[Tensor, "k k"]
) -> Float[Tensor, "k m"]:
    codes = (inverse @ wanted).relu()
    done = codes.clone()
    left = torch.arange(wanted.shape[1])
    for _ in range(SWEEPS):
        moved = _sweep(codes, wanted, gram)
        busy = moved > TOLERANCE * codes.amax(dim=0)
        if not bool(busy.all()):
            done[:, left[~busy]] = codes[:, ~busy]
            codes, wanted, left = codes[:, busy], wanted[:, busy], left[busy]
        if not len(left):
            break
    done[:, left] = codes
    return done


def _sweep(
    codes: Float[Tensor, "k m"], wanted: Float[Tensor, "k m"], gram: Float[Tensor, "k k"]
) -> Float[Tensor, " m"]:
    """Move each code once, in place; return how far the code moved furthest, of each row."""
    moved = torch.zeros_like(codes[0])
    for atom in range(len(gram)):
        own = gram[atom, atom]
        if own <= 0:
            codes[atom] = 0
            continue
        better = (codes[atom] + (wanted[atom] - gram[atom] @ codes) / own).relu()
        moved = torch.maximum(moved, (better - codes[atom]).abs())
        codes[atom] = better
    return moved
