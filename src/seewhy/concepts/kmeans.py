"""k-means: each activation belongs to the middle that is nearest."""

from typing import ClassVar

import torch
from jaxtyping import Float
from sklearn import cluster  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import one_hot

from seewhy.concepts.dictionary import Dictionary


class KMeans(Dictionary):
    """A = the middle of its cluster: one concept at each position, present or not.

    Source: Lloyd 1982; over the activations of a layer: Ghorbani et al. 2019 (ACE), arXiv 1902.03129. Fitted by scikit-learn.
    Limits: one concept at a place hides the others there.
    """

    key: ClassVar = "kmeans"
    title: ClassVar = "k-means"

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "KMeans":
        """Return so many middles."""
        made = cluster.KMeans(count, n_init=3, random_state=seed).fit(rows.numpy())
        return cls(torch.from_numpy(made.cluster_centers_).to(rows), rows.new_zeros(rows.shape[1]))

    def encode(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return 1 for the nearest middle, 0 for the others."""
        return one_hot(torch.cdist(rows, self.atoms).argmin(dim=1), len(self)).to(rows)
