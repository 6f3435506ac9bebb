"""PCA: the directions along which activations differ most."""

from typing import ClassVar

import torch
from jaxtyping import Float
from scipy.linalg import eigh  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary


class PCA(Dictionary):
    """A = mean + U D with D at right angles: of all dictionaries of this size, the one of least squared error.

    The components are eigenvectors of the covariance (c x c, in float64), which takes a fraction of the time of a singular value
    decomposition of all rows. The sign of each is fixed: its entry of largest magnitude is positive.

    Source: Pearson 1901; over the activations of a layer: Zhang et al. 2021, arXiv 2006.15417.
    Limits: codes have both signs, so a concept has a contrary; and directions at right angles need not be what the network tells apart.
    """

    key: ClassVar = "pca"
    title: ClassVar = "PCA"
    signed: ClassVar = True

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "PCA":
        """Return the first principal components, strongest first; nothing is drawn."""
        exact = rows.double()
        mean = exact.mean(dim=0)
        centred = exact - mean
        channels = rows.shape[1]
        _, vectors = eigh((centred.T @ centred).numpy(), subset_by_index=[channels - count, channels - 1])
        axes = torch.from_numpy(vectors.T[::-1].copy())
        axes = axes * axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()
        return cls(axes.to(rows), mean.to(rows))

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the coordinates along the components."""
        return (rows - self.offset) @ self.atoms.T
