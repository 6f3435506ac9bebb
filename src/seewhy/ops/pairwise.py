"""The dot product of two pooled embeddings, taken apart into pairs of places: exact where a linear layer follows the mean over places."""

import torch
from jaxtyping import Float
from torch import Tensor


def pairwise(
    first: Float[Tensor, "c n"],
    second: Float[Tensor, "c m"],
    weight: Float[Tensor, "d c"] | None = None,
    bias: Float[Tensor, " d"] | None = None,
) -> Float[Tensor, "n m"]:
    """Return S_ij = <w a_i + b, w b_j + b> / (n m): what place i of one picture and place j of the other add to the dot product.

    With embeddings e = w mean_i(a_i) + b the sum over all pairs is <e_a, e_b> exactly, as the mean and the layer are linear; the sums
    over one axis are maps of the two pictures.

    Args:
        first, second: activations of the two pictures before they are pooled, a column for each place.
        weight, bias: of the linear layer behind the mean; none if None.

    Source: Stylianou et al. 2019, Visualizing Deep Similarity Networks, arXiv 1901.00536, equation 3; Zhu et al. 2021, Visual
        Explanation for Deep Metric Learning, arXiv 1909.12977. The bias is shared out evenly over the places here.
    """
    ours, theirs = (a if weight is None else weight @ a for a in (first, second))
    if bias is not None:
        ours, theirs = ours + bias[:, None], theirs + bias[:, None]
    return ours.T @ theirs / (ours.shape[1] * theirs.shape[1])


def strongest_pairs(pairs: Float[Tensor, "n m"], count: int) -> list[tuple[int, int, float]]:
    """Return the pairs of places that add most, each place at most once, the strongest first."""
    left = pairs.detach().clone()
    found: list[tuple[int, int, float]] = []
    for _ in range(min(count, *pairs.shape)):
        flat = int(left.argmax())
        row, column = divmod(flat, pairs.shape[1])
        value = float(left[row, column])
        if not value > 0:
            break
        found.append((row, column, value))
        left[row], left[:, column] = -torch.inf, -torch.inf
    return found
