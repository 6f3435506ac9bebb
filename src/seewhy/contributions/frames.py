"""Which frames of a clip matter: by gradient, and by taking them away."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.cost import Cost
from seewhy.core.needs import INPUT, Needs
from seewhy.core.target import BoundTarget, Target
from seewhy.core.trace import Reading
from seewhy.engine.black_box import is_black_box
from seewhy.engine.block import Bill, Question
from seewhy.engine.prefix import ClipVariants
from seewhy.engine.probe import NetworkProbe
from seewhy.engine.session import Session
from seewhy.errors import DataError, ShapeError
from seewhy.ops.frames import Hiding, Run, blurred, runs_of, stand_ins, swapped_in

AT_INPUT = Needs(gradients=frozenset({INPUT}))


class ClipProbe:
    """One clip, one question, and the answers to whatever is made of the clip's frames.

    Args:
        session: runs the network.
        clip: the network's input.
        target: what is asked.
        differentiable: whether the gradient will be asked for.
    """

    def __init__(
        self, session: Session, clip: Float[Tensor, "c t h w"], target: Target, *, differentiable: bool = True
    ) -> None:
        if clip.dim() != 4:
            raise ShapeError(f"a clip is (c, t, h, w) as the network takes it, got {tuple(clip.shape)}")
        if clip.shape[1] < 2:
            raise DataError("the clip is a single frame, and of one frame nothing can be said about time")
        network = session.network
        self.session, self.bill = session, Bill()
        self.black_box = is_black_box(network.module)
        self.differentiable = differentiable and not self.black_box
        self._needs = AT_INPUT if self.differentiable else Needs()
        inputs = network.accept(clip[None])
        self.clip: Float[Tensor, "c t h w"] = inputs[0]
        self.target = target.suited("answers", session.model.output)
        self._asked = target.suited("gradients", session.model.output)
        self._block = session.block(inputs, self._needs | self.target.needs() | self._asked.needs())
        self.question = Question(self._block, self.target)

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return int(self.clip.shape[1])

    @property
    def bound(self) -> BoundTarget:
        """The target, bound on the clip as it is."""
        return self.question.bound

    @property
    def score(self) -> float:
        """The target's value on the clip as it is."""
        return float(self.question.score)

    @property
    def answer(self) -> Tensor:
        """What the network gives for the clip as it is, (1, k) for a classifier."""
        return self._block.shared.reading.output.detach()

    def gradient(self) -> Float[Tensor, "c t h w"] | None:
        """Return the derivative of the score at the clip; None of a black box, which has none."""
        if not self.differentiable:
            return None
        probe = NetworkProbe(Question(self._block, self._asked), AT_INPUT, self.bill)
        return probe.trace().gradient[INPUT][0]

    def scores(self, clips: Iterable[Float[Tensor, "c t h w"]]) -> Iterator[float]:
        """Yield the score of each clip; frames that clips have in common are seen once where the network allows it."""
        return map(float, ClipVariants(self.question, self.bill).scores(clip[None] for clip in clips))

    def readings(self, clips: Iterable[Float[Tensor, "c t h w"]]) -> Iterator[Reading]:
        """Yield what the network gives for each clip."""
        return ClipVariants(self.question, self.bill).readings(clip[None] for clip in clips)


@dataclass(frozen=True, eq=False)
class FrameImportance:
    """How much each frame of a clip adds to the score.

    Attributes:
        deletion: y(clip) - y(clip with this frame hidden); positive: the frame speaks for the target.
        gradient: what a straight line through the clip foretells for `deletion`: the sum over the frame of gradient times (frame - what is
            shown in its place). For a network that is linear in the clip the two are equal. None of a black box.
        magnitude: the share of each frame in the magnitudes of that sum's terms: how much the network looks, for or against. Adds up to 1.
        insertion: y(blurred clip with this frame sharp) - y(blurred clip).
        whole: y(clip) - y(blurred clip): what there is to be missed.
        windows, in_windows: runs of several frames, and the fall of the score where each is hidden at once.
        hiding: how frames are hidden.
    """

    deletion: Float[Tensor, " t"]
    gradient: Float[Tensor, " t"] | None
    magnitude: Float[Tensor, " t"] | None
    insertion: Float[Tensor, " t"]
    whole: float
    windows: tuple[Run, ...]
    in_windows: Float[Tensor, " n"]
    hiding: Hiding
    cost: Cost = field(default_factory=Cost)


def frame_importance(
    probe: ClipProbe, hiding: Hiding = "freeze", *, width: int | None = None, stride: int | None = None
) -> FrameImportance:
    """Return how much each frame adds to the score, alone and in windows.

    Args:
        probe: the clip and the question.
        hiding: what is shown in the place of a hidden frame; see `seewhy.ops.frames.stand_ins`. "freeze" shows nothing that is not of this
            clip, sharp and at a moment beside it, where a blend of two frames is a picture that no camera takes. It asks what is new in a
            frame: what stays in sight from one frame to the next is missed only where a whole window of it is hidden.
        width: frames of a window; a quarter of the clip if None.
        stride: frames from one window to the next; half its width if None.
    """
    clip, frames = probe.clip, probe.frames
    each = tuple((frame, frame + 1) for frame in range(frames))
    width = min(max(2, frames // 4), frames - 1) if width is None else width
    windows = runs_of(frames, width, max(1, width // 2) if stride is None else stride)
    hidden = stand_ins(clip, each, hiding)
    dull = blurred(clip)

    def variants() -> Iterator[Float[Tensor, "c t h w"]]:
        yield from (swapped_in(clip, hidden, run) for run in each)
        yield from (swapped_in(clip, stand_ins(clip, [run], hiding), run) for run in windows)
        yield dull
        yield from (swapped_in(dull, clip, run) for run in each)

    scores = torch.tensor(list(probe.scores(variants())), dtype=torch.float64)
    alone, together, nothing, inserted = torch.split(scores, [frames, len(windows), 1, frames])
    slope = _slope(probe, hidden)
    return FrameImportance(
        deletion=probe.score - alone,
        gradient=None if slope is None else slope.sum(dim=(0, 2, 3)),
        magnitude=None if slope is None else _shares(slope),
        insertion=inserted - nothing,
        whole=probe.score - float(nothing),
        windows=windows,
        in_windows=probe.score - together,
        hiding=hiding,
        cost=probe.bill.cost,
    )


def _slope(probe: ClipProbe, hidden: Float[Tensor, "c t h w"]) -> Float[Tensor, "c t h w"] | None:
    gradient = probe.gradient()
    return None if gradient is None else (gradient * (probe.clip - hidden).to(gradient)).double().cpu()


def _shares(slope: Float[Tensor, "c t h w"]) -> Float[Tensor, " t"]:
    """Return the share of each frame in the magnitudes per pixel, channels added first."""
    magnitudes = slope.sum(dim=0).abs().sum(dim=(1, 2))
    return magnitudes / magnitudes.sum().clamp_min(1e-300)
