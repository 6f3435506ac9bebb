"""Windows of an image replaced one at a time."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.trace import Reading
from seewhy.engine.block import Bill, Question
from seewhy.engine.partial import Partial

Corner = tuple[int, ...]


class Windows(Partial[Corner]):
    """Variants are the first cells of a window that shows the fill; what a window does not touch is not computed again.

    Args:
        question, bill: as in `Partial`.
        size: of the windows, per axis.
        fill: what stands in them (b, c, *spatial).
    """

    def __init__(
        self, question: Question, bill: Bill, size: tuple[int, ...], fill: Float[Tensor, "b c *spatial"]
    ) -> None:
        super().__init__(question, bill, ("windows", size))
        self.size, self.fill = size, fill

    def reading(self, image: int, pack: Sequence[Corner]) -> Reading:
        """Run one image with each of some windows filled."""
        return self.whole(torch.stack([self._filled(image, corner) for corner in pack]))

    def _filled(self, image: int, corner: Corner) -> Float[Tensor, "c *spatial"]:
        filled = self.block.inputs[image].clone()
        here = (slice(None), *(slice(start, start + length) for start, length in zip(corner, self.size, strict=True)))
        filled[here] = self.fill[image][here]
        return filled
