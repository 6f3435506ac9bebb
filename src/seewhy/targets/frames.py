"""Targets of networks that answer frame by frame: (b, t, k)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.errors import TargetError
from seewhy.targets.classes import find_class, name_of
from seewhy.targets.fitting import fitting, shape_words

ONSET = 0.5
"""Probability from which a class counts as begun."""


@dataclass(frozen=True)
class FrameClass(Target):
    """Logit of a class at one frame of a clip, over several, or where it begins; for answers (b, t, k). Frames are those of the answer.

    Args:
        index: the class, by index or name.
        at: a frame; the mean over frames (first, behind the last); "max" (default) for the frame with the largest logit, found on the
            unperturbed clip and kept; or "onset" for the rise of the logit from the frame before to the first one at which its probability
            reaches `threshold`: what makes it begin. At frame 0 the logit itself is meant.
        threshold: of the onset, in probability.
        exclusive: whether the classes of a frame exclude each other (softmax) or each holds by itself (sigmoid), for the onset.
    """

    index: int | str
    at: int | tuple[int, int] | Literal["max", "onset"] = "max"
    threshold: float = ONSET
    exclusive: bool = True

    def bind(self, reading: Reading, labels: Sequence[str] | None) -> BoundTarget:
        """Freeze the class and the frames of each clip.

        Raises:
            TargetError: the answer is not one for each frame, or has no such class or frame; the class never begins.
        """
        output = reading.output
        if output.dim() != 3:
            raise TargetError(
                f"a class at a frame is asked for, and the network's answer has shape {shape_words(output.shape)}, not (clips, frames, classes); "
                f"{fitting(output.shape)}"
            )
        column = find_class(self.index, output.shape[2], labels)
        weights = self._weights(output.detach(), column)

        def score(seen: Reading) -> Float[Tensor, " b"]:
            return (seen.output[..., column] * weights).sum(dim=1)

        names = tuple(f"{name_of(column, labels)} {words}" for words in self._words(weights))
        return BoundTarget(score, names, "logit")

    def _weights(self, output: Float[Tensor, "b t k"], column: int) -> Float[Tensor, "b t"]:
        """Return the weight of each frame's logit in the score."""
        rows, frames = output.shape[:2]
        if self.at == "max":
            return _at(output[..., column].argmax(dim=1), frames).to(output)
        if self.at == "onset":
            begins = self._onset(output, column)
            before = _at((begins - 1).clamp_min(0), frames) * (begins > 0)[:, None]
            return (_at(begins, frames) - before).to(output)
        first, last = (self.at, self.at + 1) if isinstance(self.at, int) else self.at
        if not 0 <= first < last <= frames:
            raise TargetError(f"there are no frames {self.at}; the answer has {frames}, from 0 to {frames - 1}")
        weights = output.new_zeros(rows, frames)
        weights[:, first:last] = 1 / (last - first)
        return weights

    def _onset(self, output: Float[Tensor, "b t k"], column: int) -> Int[Tensor, " b"]:
        chances = (output.softmax(dim=2) if self.exclusive else output.sigmoid())[..., column]
        begun = chances >= self.threshold
        if not begun.any(dim=1).all():
            best = float(chances[~begun.any(dim=1)][0].max())
            raise TargetError(
                f"the class never begins: its probability reaches {best:.2f}, and {self.threshold:g} is asked"
            )
        return begun.int().argmax(dim=1)

    def _words(self, weights: Float[Tensor, "b t"]) -> list[str]:
        if isinstance(self.at, tuple):
            return [f"over frames {self.at[0]} to {self.at[1] - 1}"] * len(weights)
        said = "beginning at" if self.at == "onset" else "at"
        return [f"{said} frame {int(frame)}" for frame in weights.argmax(dim=1)]


def _at(frames: Int[Tensor, " b"], count: int) -> Int[Tensor, "b t"]:
    """Return 1 at a frame of each clip, 0 elsewhere."""
    return torch.nn.functional.one_hot(frames, count)
