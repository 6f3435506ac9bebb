"""Multinomial logistic regression on probabilities: the fit that sums of trees and of shapes share."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.surrogates.descent import lowest

PENALTY = 1e-3
"""Of the squared weights, beside the mean log-loss."""
STEPS = 60


def fitted(
    columns: Float[Tensor, "n p"],
    targets: Float[Tensor, "n j"],
    weights: Float[Tensor, "p j"],
    bias: Float[Tensor, " j"],
    *,
    penalty: float = PENALTY,
    steps: int = STEPS,
) -> tuple[Float[Tensor, "p j"], Float[Tensor, " j"]]:
    """Return the weights and the bias of least mean log-loss plus penalty / 2 times the squared weights, in float64.

    Args:
        columns: what is weighted.
        targets: probabilities of the classes; a row adds up to 1.
        weights: where to start.
        bias: where to start; it is not penalized.
        penalty: see above.
        steps: of L-BFGS at most.
    """
    data, wanted = columns.double(), targets.double()
    shape, count = weights.shape, weights.numel()

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        values = torch.from_numpy(flat)
        w = values[:count].view(shape)
        log = torch.addmm(values[count:], data, w).log_softmax(dim=1)
        rest = (log.exp() - wanted) / len(data)
        slope = torch.cat([(data.T @ rest + penalty * w).flatten(), rest.sum(dim=0)])
        return float(-(wanted * log).sum() / len(data) + penalty / 2 * w.square().sum()), slope.numpy()

    best = lowest(loss, torch.cat([weights.double().flatten(), bias.double()]), steps)
    return best[:count].view(shape), best[count:]


def residual(scores: Float[Tensor, "n j"], targets: Float[Tensor, "n j"]) -> Float[Tensor, "n j"]:
    """Return the targets minus the probabilities of the scores: along what the log-loss falls."""
    return targets - scores.softmax(dim=1)


def start_bias(targets: Float[Tensor, "n j"]) -> Float[Tensor, " j"]:
    """Return the scores that say the mean of the targets whatever is read."""
    return targets.double().mean(dim=0).clamp_min(1e-6).log()
