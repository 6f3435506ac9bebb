"""NMF: activations that are never negative as sums of parts that are never negative."""

import warnings
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from sklearn import decomposition  # type: ignore[import-untyped]
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from torch import Tensor

from seewhy.concepts.dictionary import Dictionary
from seewhy.concepts.least_squares import nonnegative_codes
from seewhy.concepts.rows import affordable
from seewhy.errors import ConfigError

STEPS = 200
TOLERANCE = 1e-4
"""A tenth of the effort, at 1e-3, loses a quarter of what is explained: coordinate descent then ends after some steps."""


class NMF(Dictionary):
    """A = U D with U >= 0 and D >= 0 of least squared error: parts add up, and nothing is taken away again.

    Source: Lee and Seung 1999, doi 10.1038/44565; over the activations of a layer: Zhang et al. 2021, arXiv 2006.15417; Fel et al. 2023
        (CRAFT), arXiv 2211.10154. Fitted by scikit-learn's coordinate descent, from the start of Boutsidis and Gallopoulos 2008 (doi
        10.1016/j.patcog.2007.09.010), which is nearly the same for every seed; atoms have length 1, so that codes are in units of the activation.
    Limits: for activations that are never negative; other pictures may give other parts, which is what stability says.
    """

    key: ClassVar = "nmf"
    title: ClassVar = "NMF"

    @classmethod
    def fit(cls, rows: Float[Tensor, "m c"], count: int, seed: int = 0) -> "NMF":
        """Return a dictionary of so many parts.

        Raises:
            ConfigError: some activations are negative.
        """
        if bool((rows < 0).any()):
            raise ConfigError(
                f"NMF is for activations that are never negative, and {float((rows < 0).float().mean()):.0%} of these are; "
                "take a layer behind a rectifier, or another dictionary: sae, pca, kmeans"
            )
        made = decomposition.NMF(count, init="nndsvda", random_state=seed, max_iter=STEPS, tol=TOLERANCE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # what it explains is measured and told
            made.fit(affordable(rows, seed).numpy())
        atoms = torch.from_numpy(np.ascontiguousarray(made.components_)).to(rows)
        length = atoms.norm(dim=1, keepdim=True)
        return cls(atoms / length.clamp_min(1e-12), rows.new_zeros(rows.shape[1]))

    def coded(self, rows: Float[Tensor, "m c"]) -> Float[Tensor, "m k"]:
        """Return the codes of least squared error that are not negative."""
        return nonnegative_codes(rows, self.atoms)
