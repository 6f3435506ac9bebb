"""k-means: each activation belongs to the middle that is nearest."""

import warnings
from typing import ClassVar

import torch
from jaxtyping import Float
from sklearn import cluster  # type: ignore[import-untyped]
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import one_hot

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.rows import affordable

STARTS = 3
"""Starts of which the best is kept."""


class KMeans(Dictionary):
    """A = the middle of its cluster: one concept at each position, present or not.

    Source: Lloyd 1982; over the activations of a layer: Ghorbani et al. 2019 (ACE), arXiv 1902.03129. Fitted by scikit-learn.
    Limits: one concept at a place hides the others there.
    """

    key: ClassVar = "kmeans"
    title: ClassVar = "k-means"
    overcomplete: ClassVar = True

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "KMeans":
        """Return so many middles; those of them that no activation is nearest to are equal to another."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # equal middles are named as dead by their quality
            made = cluster.KMeans(count, n_init=STARTS, random_state=seed).fit(affordable(rows, seed).numpy())
        return cls(torch.from_numpy(made.cluster_centers_).to(rows), rows.new_zeros(rows.shape[1]))

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return 1 for the nearest middle, 0 for the others; of equally near ones the first."""
        distances = self.atoms.square().sum(dim=1) / 2 - rows @ self.atoms.T  # but for what all middles share
        return one_hot(distances.argmin(dim=1), len(self)).to(rows)
