"""What a layer hands on in the place of a part of what it makes."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Swap:
    """Some numbers of a layer's output, and what stands in their place.

    Attributes:
        where: which numbers (#b, ...), in the layer's own layout; axes of one broadcast.
        value: what stands there (#b, ...); None: what the layer itself was given, so that swapping all of it leaves the layer out.
    """

    where: Bool[Tensor, "#b ..."]
    value: Float[Tensor, "#b ..."] | None = None

    def of(self, image: int, images: int) -> "Swap":
        """Return the swap of one of so many images; a layer may have several rows for each, such as windows."""
        where, value = self.where, self.value
        return Swap(_rows(where, image, images), None if value is None else _rows(value, image, images))

    def applied(self, given: Float[Tensor, "b ..."], made: Float[Tensor, "b ..."]) -> Float[Tensor, "rows ..."]:
        """Return what the layer hands on, from what it was given and what it made: its rows, or as many as are swapped of its only row."""
        value = given if self.value is None else self.value.to(made)
        return torch.where(self.where.to(made.device), value, made)


def _rows(tensor: Tensor, image: int, images: int) -> Tensor:
    each = len(tensor) // images
    return tensor[image * each : (image + 1) * each] if each and len(tensor) > 1 else tensor
