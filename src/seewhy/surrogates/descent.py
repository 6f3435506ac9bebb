"""Find the least value of a smooth function of many numbers."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""From the numbers to the value and its slope, in float64."""


def lowest(loss: Loss, start: Float[Tensor, " p"], steps: int) -> Float[Tensor, " p"]:
    """Return where L-BFGS ends, after so many steps at most.

    scipy and torch each keep threads of their own for products. Called in turn, those of the one wait at full speed while the other works, which makes small
    fits twenty times slower on two cores; so scipy, which has hardly anything to multiply here, gets one.
    """
    with threadpool_limits(1, user_api="blas"):
        found = minimize(loss, start.double().numpy(), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return torch.from_numpy(found.x)
