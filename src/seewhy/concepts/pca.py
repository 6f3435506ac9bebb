"""PCA: the directions along which activations differ most."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.ops.principal import principal_components


class PCA(Dictionary):
    """A = mean + U D with D at right angles: of all dictionaries of this size, the one of least squared error.

    The sign of each component is fixed: its entry of largest magnitude is positive.

    Source: Pearson 1901; over the activations of a layer: Zhang et al. 2021, arXiv 2006.15417.
    Limits: codes have both signs, so a concept has a contrary; and directions at right angles need not be what the network tells apart.
    """

    key: ClassVar = "pca"
    title: ClassVar = "PCA"
    signed: ClassVar = True

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "PCA":
        """Return the first principal components, strongest first; nothing is drawn."""
        return cls(principal_components(rows, count).axes.to(rows), rows.double().mean(dim=0).to(rows))

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the coordinates along the components."""
        return (rows - self.offset) @ self.atoms.T
