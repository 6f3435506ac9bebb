"""Windows of an image replaced one at a time; what a window does not touch is not computed again."""

from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.core.cost import Cost
from seewhy.core.trace import Reading
from seewhy.engine.block import Bill, Question
from seewhy.engine.following.counting import Counting
from seewhy.engine.following.patches import Patch, Rectangles
from seewhy.engine.following.taping import Reference
from seewhy.engine.network import Network
from seewhy.engine.partial import Partial, agree
from seewhy.engine.replay import CannotCut
from seewhy.errors import ModelError, OutOfMemory

Corner = tuple[int, ...]

WORTH = 0.9
"""The part of the whole network's multiply-adds below which windows are followed."""

FOLLOWED_ROWS = 8
"""How many windows are followed in the first pass, whose time includes the tape; the best number is twice that or more, and measured."""

TAPES = 2**30
"""How many bytes of tapes are kept for the images of a block; where they take more, each pack of windows tapes its image anew."""


class Windows(Partial[Corner]):
    """Variants are the first cells of a window that shows the fill; only what a window touches runs, exactly, where that saves anything.

    Whether it does is tried once for each size of window and of image: what is followed must be what the whole network gives, for a window
    in the corner and one in the middle, and take clearly fewer multiply-adds.

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
        if self._followable:
            try:
                answer = self._followed_network.followed(self._tape(image), *self._changed(image, pack))
            except (CannotCut, ModelError) as error:
                if isinstance(error, OutOfMemory):
                    raise
                self.network.cuts[self.kind] = _because(str(error))
            else:
                self.bill.pay_rows(Cost(partial=len(pack)), len(self.block.inputs))
                return Reading(answer, {})
        if self.network.cuts.get(self.kind):
            self.bill.remark(self.network.cuts[self.kind])
        return self.whole(torch.stack([self._filled(image, corner) for corner in pack]))

    @property
    def least(self) -> int:
        """A pass that follows windows has a price of its own, whatever the number of its rows."""
        return FOLLOWED_ROWS if self._followable else 1

    @property
    def _followable(self) -> bool:
        """Whether windows are followed; tried where there is anything to try: pictures, convolutions, a target that sees the answer alone."""
        convolves = any(isinstance(part, nn.Conv2d) for part in self.network.module.modules())
        if self.block.inputs.dim() != 4 or self.needs.activations or not convolves:
            return False
        if self.kind not in self.network.cuts:
            self.network.cuts[self.kind] = self._tried()
        return not self.network.cuts[self.kind]

    @cached_property
    def _followed_network(self) -> Network:
        """The network with its batch norms merged, which is faster and the same but for rounding; in half precision that would show."""
        half = self.block.inputs.dtype in (torch.float16, torch.bfloat16)
        return self.network if half else self.network.merged(self.block.inputs)

    def _tape(self, image: int) -> Reference:
        """Return the pass over an image on tape, kept for all who ask about the block where the tapes of all its images fit."""
        tapes, images = self.block.references, len(self.block.inputs)
        made = tapes.get(image)
        if made is None:
            made = self._followed_network.reference(self.block.inputs[image : image + 1])
            if made.size * images > TAPES:
                self.bill.pay_rows(Cost(forwards=1), images)
                return made
            tapes[image] = made
        self.bill.once(("windows", image), Cost(forwards=1), images)
        return made

    def _tried(self) -> str:
        """Return why windows are not followed; empty where they are. The bill of a method does not pay for the trial."""
        at, crop = self._trial()
        one, followed, whole = self.block.inputs[:1], Counting(), Counting()
        try:
            tape = self._followed_network.reference(one)
            with followed:
                found = self._followed_network.followed(tape, at, crop)
        except (CannotCut, ModelError) as error:
            return _because(str(error))
        with whole:
            wanted = self.network.forward(Patch(one, (2, 3), at, crop).whole(), self.needs).reading.output
        if not agree(found, wanted):
            return _because("the whole of it answers differently")
        if followed.multiply_adds > WORTH * whole.multiply_adds:
            size = " x ".join(map(str, self.size))
            return f"a window of {size} reaches most of what the network computes, so the whole of it ran each time"
        if len(self.block.inputs) * tape.size <= TAPES:
            self.block.references.setdefault(0, tape)
        return ""

    def _trial(self) -> tuple[Rectangles, Float[Tensor, "2 c h w"]]:
        """Return a window in a corner and one in the middle, with noise in them."""
        one = self.block.inputs[0]
        height, width = (min(length, bound) for length, bound in zip(self.size, one.shape[1:], strict=True))
        middle = (one.shape[1] - height) // 2, (one.shape[2] - width) // 2
        noise = torch.randn(2, len(one), height, width, generator=torch.Generator().manual_seed(0))
        return Rectangles((0, middle[0]), (0, middle[1]), (height, width)), noise.to(one)

    def _changed(self, image: int, pack: Sequence[Corner]) -> tuple[Rectangles, Float[Tensor, "n c h w"]]:
        """Return rectangles that hold the windows and lie in the image, and what stands in them."""
        one = self.block.inputs[image : image + 1]
        height, width = (min(length, bound) for length, bound in zip(self.size, one.shape[2:], strict=True))
        top = tuple(min(max(corner[0], 0), one.shape[2] - height) for corner in pack)
        left = tuple(min(max(corner[1], 0), one.shape[3] - width) for corner in pack)
        at = Rectangles(top, left, (height, width))
        crop = at.cut_from(one, (2, 3))
        for row, corner in enumerate(pack):
            here = self._inside(corner)
            vertical, horizontal = (
                slice(part.start - first, part.stop - first)
                for part, first in zip(here, (top[row], left[row]), strict=True)
            )
            crop[row, :, vertical, horizontal] = self.fill[image][:, here[0], here[1]]
        return at, crop

    def _filled(self, image: int, corner: Corner) -> Float[Tensor, "c *spatial"]:
        filled, here = self.block.inputs[image].clone(), (slice(None), *self._inside(corner))
        filled[here] = self.fill[image][here]
        return filled

    def _inside(self, corner: Corner) -> list[slice]:
        """Return the part of a window that lies in the image."""
        bounds = self.block.inputs.shape[2:]
        spans = zip(corner, self.size, bounds, strict=True)
        return [slice(max(start, 0), max(min(start + length, bound), start, 0)) for start, length, bound in spans]


def _because(error: str) -> str:
    reason = error.strip().partition("\n")[0]
    return f"what windows touch cannot be followed through the network ({reason}), so the whole of it ran each time"
