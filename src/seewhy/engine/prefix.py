"""Answers to clips that are made of the same frames: what they have in common is computed once."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.trace import Reading
from seewhy.engine.black_box import is_black_box
from seewhy.engine.block import Bill, Question
from seewhy.engine.partial import Partial, agree
from seewhy.engine.sharing import Sharing, whole
from seewhy.errors import ModelError, OutOfMemory

CLIPS = 16
"""Clips of the first pass: the more clips, the more they have in common. Later passes have more where that is faster."""
WORTH = 0.9
"""Sharing is used where it leaves at most this part of the multiply-adds."""


class ClipVariants(Partial[Tensor]):
    """Scores clips (b, c, t, h, w) that are made of the frames of one clip, and of a few others.

    A network that sees each frame alone sees each different frame once for all clips of a pass. One that goes through the frames in a loop has
    the same state for all clips that have begun alike, so that a clip in which only frame t is another one costs what comes from t on.
    Whether that is so is tried once for each network and size of input, on two clips that differ in one frame: they must give what the
    whole network gives, and something must be saved. If not, the whole network runs each time, and a remark says why.

    Args:
        question: block and target.
        bill: where the cost is written.
    """

    def __init__(self, question: Question, bill: Bill) -> None:
        super().__init__(question, bill, "clips that share frames")
        self._shared, cuts = self.kind, self.network.cuts
        if self._shared not in cuts:
            cuts[self._shared] = self._tried(self.block.inputs[:1])
        if cuts[self._shared]:
            self.kind = ("whole clips", *self._shared[1:])

    @property
    def least(self) -> int:
        """How many clips the first pass has."""
        return CLIPS if self.kind is self._shared else 1

    def reading(self, image: int, pack: Sequence[Tensor]) -> Reading:
        """Run some variants of one clip."""
        rows = torch.stack([clips[image] for clips in pack]).to(self.block.inputs)
        if self.kind is not self._shared:
            self.bill.remark(f"each changed clip ran through the whole network: {self.network.cuts[self._shared]}")
            return self.whole(rows)
        made, _ = self._run(rows)
        self.bill.pay_rows(Cost(partial=len(rows)), len(self.block.inputs))
        return made

    def _run(self, rows: Float[Tensor, "n c t h w"]) -> tuple[Reading, float]:
        """Run clips, and say which part of the multiply-adds that took."""
        mode = Sharing()
        made = self.network.forward(rows, self.needs, under=mode, partial=True).reading
        reading = Reading(whole(made.output), {name: whole(one) for name, one in made.activation.items()})
        return reading, mode.made / mode.asked if mode.asked else 1.0

    def _tried(self, clip: Float[Tensor, "1 c t h w"]) -> str:
        """Return why nothing can be shared; empty where it can. The bill of a method does not pay for the trial."""
        if is_black_box(self.network.module):
            return "it is a black box"
        rows = torch.cat([clip, clip])
        rows[1, :, clip.shape[2] // 2] = clip[0, :, 0].flip(1, 2)
        try:
            found, left = self._run(rows)
        except OutOfMemory:
            raise
        except (ModelError, RuntimeError, TypeError, ValueError, IndexError) as error:
            return f"its rows cannot be followed ({str(error).strip().partition(chr(10))[0]})"
        if left > WORTH:
            return "it mixes frames at once, or does little with each alone"
        wanted = self.network.forward(rows, self.needs).reading
        alike = agree(found.output, wanted.output) and all(
            agree(found.activation[name], one) for name, one in wanted.activation.items()
        )
        return "" if alike else "clips that run together do not give what each gives alone"
