"""Answers to clips that have most of their frames in common."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seewhy.core.trace import Reading
from seewhy.engine.block import Bill, Question
from seewhy.engine.partial import Partial


class ClipVariants(Partial[Tensor]):
    """Scores clips (b, c, t, h, w) that are made of the frames of one clip, and of a few others."""

    def __init__(self, question: Question, bill: Bill) -> None:
        super().__init__(question, bill, "clip variants")

    def reading(self, image: int, pack: Sequence[Tensor]) -> Reading:
        """Run some variants of one clip."""
        rows = torch.stack([clips[image] for clips in pack]).to(self.block.inputs)
        return self.whole(rows)
