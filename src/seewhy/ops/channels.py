"""Sums over the channels of activations, for any number of spatial axes."""

import torch
from jaxtyping import Float
from torch import Tensor


def over_positions(maps: Float[Tensor, "b c *spatial"]) -> Float[Tensor, "b c"]:
    """Return the mean of each channel over all positions."""
    return maps.flatten(2).mean(dim=2)


def weighted_sum(
    weights: Float[Tensor, "b c"], activation: Float[Tensor, "b c *spatial"]
) -> Float[Tensor, "b *spatial"]:
    """Return sum_k w_k A_k at each position."""
    flat = activation.flatten(2)  # (b, c, n)
    return (weights[:, None] @ flat).view(len(flat), *activation.shape[2:])


def plus_plus_weights(
    gradient: Float[Tensor, "b c *spatial"],
    curvature: Float[Tensor, "b c *spatial"],
    activation: Float[Tensor, "b c *spatial"],
) -> Float[Tensor, "b c"]:
    """Return the channel weights of Grad-CAM++: sum_ij alpha_ij relu(gradient_ij), alpha_ij = 1 / (2 + sum(A) * curvature_ij).

    Args:
        gradient: first derivative of the score.
        curvature: third over second derivative of the exponential of the score; for one pass that is the gradient itself.
        activation: A, whose sum over positions enters.

    The paper writes alpha = D2 / (2 * D2 + sum(A) * D3). Dividing by D2 leaves nothing that underflows for small gradients, and no
    small number that has to be added to a denominator. The paper's activations follow a ReLU; of others only the positive part enters the
    sum, and of the curvature likewise, so alpha lies between 0 and 1 / 2 and has no pole.
    """
    total = activation.flatten(2).relu().sum(dim=2, keepdim=True)  # (b, c, 1)
    alpha = 1 / (2 + total * curvature.flatten(2).relu())  # (b, c, n)
    return (alpha * gradient.flatten(2).relu()).sum(dim=2)


def ratio(above: Tensor, below: Tensor) -> Tensor:
    """Return above / below, and 0 where below is 0."""
    return torch.where(below == 0, 0, above / below.where(below != 0, 1))
