"""How far several maps of one picture agree."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from seewhy.core.explanation import Explanation
from seewhy.errors import ShapeError
from seewhy.evaluation.area import evidence
from seewhy.ops.ranking import rank_correlation

CELLS = 14
"""Cells along each side of the grid on which maps are compared, or fewer where a picture has fewer pixels."""


def agreement(explanations: Sequence[Explanation]) -> Float[Tensor, "m m"]:
    """Return Spearman's rank correlation of the evidence of each map with each, for the first picture of every explanation.

    Only evidence for the target counts, as not every method knows of evidence against. Maps are averaged on a grid of 14 x 14 cells:
    finer detail differs between methods for reasons of their resolution alone. A map without any evidence agrees with nothing: NaN.

    Args:
        explanations: of one picture and one target, by m methods.

    Raises:
        ShapeError: the pictures have different sizes.
    """
    sizes = {tuple(made.samples[0].inputs.shape[1:]) for made in explanations}
    if len(sizes) != 1:
        raise ShapeError(f"maps are compared on one picture; got pictures of sizes {sorted(sizes)}")
    cells = tuple(min(CELLS, length) for length in sizes.pop())
    maps = torch.stack([_pooled(evidence(made)[:1].double(), cells).flatten() for made in explanations])
    return rank_correlation(maps)


def _pooled(maps: Float[Tensor, "1 *spatial"], cells: tuple[int, ...]) -> Float[Tensor, "1 *cells"]:
    if len(cells) == 2:
        return adaptive_avg_pool2d(maps, (cells[0], cells[1]))
    return adaptive_avg_pool3d(maps, (cells[0], cells[1], cells[2]))
