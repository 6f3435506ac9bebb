"""The first principal component of activations, from the smaller Gram matrix instead of a full decomposition."""

import torch
from jaxtyping import Float
from torch import Tensor


def first_component(features: Float[Tensor, "b c n"]) -> Float[Tensor, "b n"]:
    """Project each position on the first principal direction of the channels, which are centred over positions.

    With X (n, c) the centred features, the projection X v1 equals u1 * s1, and u1 is the top eigenvector of the n x n
    Gram matrix X X^T; where channels are fewer than positions, v1 comes from the c x c matrix X^T X. The sign, which a
    principal component does not have, is the one that correlates positively with the mean over channels of the
    uncentred features; where that correlation is zero, the entry of largest magnitude is positive.
    """
    centred = features - features.mean(dim=2, keepdim=True)  # (b, c, n)
    channels, positions = features.shape[1:]
    if positions <= channels:
        values, vectors = torch.linalg.eigh(centred.transpose(1, 2) @ centred)  # ascending
        projection: Tensor = vectors[..., -1] * values[..., -1:].clamp_min(0).sqrt()  # (b, n)
    else:
        _, vectors = torch.linalg.eigh(centred @ centred.transpose(1, 2))
        projection = (vectors[..., -1:].transpose(1, 2) @ centred)[:, 0]  # (b, n)
    mean = features.mean(dim=1)  # (b, n)
    agreement = (projection * (mean - mean.mean(dim=1, keepdim=True))).sum(dim=1, keepdim=True)
    largest = projection.gather(1, projection.abs().argmax(dim=1, keepdim=True))
    scale = projection.norm(dim=1, keepdim=True) * mean.norm(dim=1, keepdim=True)
    decided = agreement.abs() > 1e-6 * scale
    sign = torch.where(decided, agreement, largest).sign()
    return sign * projection
