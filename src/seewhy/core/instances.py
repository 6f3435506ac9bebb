"""Instance masks as one tensor: a row for each instance, which says by itself how it is read."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Instances:
    """Instances of some images.

    Attributes:
        chances: probability of each class, for each instance; all zero in a row that holds none.
        masks: the share of each cell that the instance covers, from 0 to 1.
    """

    chances: Float[Tensor, "b n k"]
    masks: Float[Tensor, "b n cells"]

    def packed(self) -> Float[Tensor, "b n width"]:
        """Return one tensor: the number of classes, their probabilities, then the cells of the mask, for each instance."""
        count = self.chances.new_full((*self.chances.shape[:2], 1), float(self.chances.shape[2]))
        return torch.cat([count, self.chances, self.masks.to(self.chances)], dim=2)

    @classmethod
    def unpacked(cls, answer: Float[Tensor, "b ..."]) -> "Instances | None":
        """Read what `packed` gave; None where it is something else."""
        if answer.dim() != 3 or not answer.shape[1] or answer.shape[2] < 3:
            return None
        count = answer[..., 0].detach()
        classes = float(count.flatten()[0])
        if classes != int(classes) or not 1 <= classes <= answer.shape[2] - 2 or bool((count != classes).any()):
            return None
        return cls(answer[..., 1 : 1 + int(classes)], answer[..., 1 + int(classes) :])
