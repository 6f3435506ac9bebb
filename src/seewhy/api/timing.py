"""`seewhy.timeline` and `seewhy.time_tests`: which frames matter, when it was decided, and whether time matters at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image

from seewhy.api import ModelLike, Session, Source, TargetLike
from seewhy.contributions.frame_segments import SegmentShares
from seewhy.contributions.frames import ClipProbe
from seewhy.contributions.prefix_curve import PrefixCurve
from seewhy.core.sample import Sample
from seewhy.engine import session as engine
from seewhy.engine.model import Fit
from seewhy.errors import ModelError
from seewhy.evaluation import timeline as made
from seewhy.evaluation.time_tests import SHUFFLES, ClipTest, TimeTests, clip_test
from seewhy.evaluation.time_tests import time_tests as judged
from seewhy.evaluation.timeline import Agreement
from seewhy.ops.frames import Hiding, Run
from seewhy.report.document import Document
from seewhy.report.timeline_chart import timeline_picture
from seewhy.report.timeline_page import timeline_page
from seewhy.targets import as_target


@dataclass(frozen=True, eq=False)
class Timeline(Document):
    """Numbers for each frame of a clip, as a page, a picture and plain values.

    Attributes:
        found: the numbers; see `seewhy.evaluation.timeline.Timeline`.
        command: makes it again; written on the page.
    """

    found: made.Timeline
    command: str = ""

    noun: ClassVar = "a timeline"

    @property
    def deletion(self) -> torch.Tensor:
        """How much the score falls where a frame is hidden."""
        return self.found.deletion

    @property
    def gradient(self) -> torch.Tensor | None:
        """How much the gradient foretells that it falls; None of a black box."""
        return self.found.gradient

    @property
    def agreement(self) -> Agreement:
        """How far the two agree, with a warning where it is little."""
        return self.found.agreement

    @property
    def seconds(self) -> tuple[float, ...] | None:
        """When each frame is shown in the source."""
        return self.found.seconds

    @property
    def segments(self) -> SegmentShares | None:
        """Shapley values of runs of frames."""
        return self.found.segments

    @property
    def prefix(self) -> PrefixCurve | None:
        """The score after each frame."""
        return self.found.prefix

    @property
    def decision(self) -> float | None:
        """The second from which the predicted class changes no more."""
        return self.found.decision

    @property
    def verdict(self) -> str | None:
        """Whether it is really a video model, in one line."""
        return self.found.verdict

    def text(self) -> str:
        """Return the timeline in a few lines."""
        return self.found.text()

    def __str__(self) -> str:
        return self.text()

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return self.found.numbers()

    def picture(self) -> Image.Image:
        """Draw the curves over a strip of frames, with the verdict."""
        return timeline_picture(self.found)

    def page(self) -> str:
        """Return all of it as one HTML file."""
        return timeline_page(self.found, self.numbers(), command=self.command)


def timeline(
    clip: Source | Sample | Sequence[Any],
    model: ModelLike | engine.Session = None,
    target: TargetLike = None,
    *,
    hiding: Hiding = "freeze",
    width: int | None = None,
    stride: int | None = None,
    segments: int | Sequence[Run] | None = 5,
    prefix: bool = True,
    tests: bool = True,
    shuffles: int = SHUFFLES,
    fit: Fit | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    command: str = "",
) -> Timeline:
    """Say which frames of a clip matter, by gradient and by deletion, when the answer was decided, and whether time matters at all.

    Args:
        clip: a video, a folder of frames, an array (t, h, w, 3), a `Clip`, a prepared sample, or a tensor (1, c, t, h, w) that is the network's
            input as it stands.
        model: a network for clips, or a session that is open.
        target: what is asked; the predicted class if None.
        hiding: what is shown in the place of a hidden frame: "freeze" (the frame before), "interpolate" or "blur".
        width, stride: of windows in which several frames are hidden at once; a quarter of the clip and half of that if None.
        segments: among how many runs of frames the score is shared (Shapley values, exact up to 10), or the runs; None leaves them out.
        prefix: whether the answer after each frame is wanted.
        tests: whether it is tested that time matters.
        shuffles: of the frames, for the tests.
        fit: how each frame is fitted.
        seed: of everything that is drawn.
        device: where to run.
        command: makes it again; written on the page.

    Returns:
        A `Timeline`: `.deletion`, `.gradient`, `.agreement`, `.segments`, `.prefix`, `.decision`, `.verdict`, `.save("timeline.html")`.

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> found = seewhy.timeline("clip.mp4", model)
        >>> print(found.verdict)
    """
    session = _session(model, device, seed)
    [sample] = session.samples(clip if isinstance(clip, torch.Tensor) else [clip], fit)
    found = made.timeline(
        session,
        sample,
        as_target(target),
        hiding=hiding,
        width=width,
        stride=stride,
        segments=segments,
        prefix=prefix,
        tests=tests,
        shuffles=shuffles,
    )
    return Timeline(found, command)


def time_tests(
    clips: str | Path | Iterable[Any] | torch.Tensor,
    model: ModelLike | engine.Session = None,
    target: TargetLike = None,
    *,
    shuffles: int = SHUFFLES,
    fit: Fit | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> TimeTests:
    """Say whether a network really looks at time: what is left of its answers where clips stand still, or run in another order.

    Args:
        clips: videos, folders of videos, arrays, prepared samples, or a tensor (b, c, t, h, w); read one after the other.
        model: a network for clips, or a session that is open.
        target: what is asked; the class that is predicted for each clip if None.
        shuffles: other orders for each clip.
        fit, seed, device: as in `timeline`.

    Returns:
        `TimeTests`: `.verdict`, `.line` (in words), the figures with their intervals, and what each clip gave.

    Example:
        >>> print(seewhy.time_tests(["one.mp4", "two.mp4"], model).line)
    """
    session = _session(model, device, seed)
    several: Iterable[Any] = [clips] if isinstance(clips, (str, Path)) else clips
    tests: list[ClipTest] = []
    for number, clip in enumerate(several):
        [sample] = session.samples(clip[None] if isinstance(clip, torch.Tensor) else [clip], fit)
        tests.append(clip_tested(session, sample, target, name=sample.name or f"clip {number}", shuffles=shuffles))
    return judged(tests, seed)


def clip_tested(
    session: engine.Session, sample: Sample, target: TargetLike, *, name: str, shuffles: int = SHUFFLES
) -> ClipTest:
    """Return the tests of one prepared clip."""
    probe = ClipProbe(session, sample.inputs, as_target(target), differentiable=False)
    return clip_test(probe, name, shuffles=shuffles)


def _session(model: ModelLike | engine.Session, device: torch.device | str | None, seed: int) -> Session:
    session = model if isinstance(model, Session) else Session(model, device=device, seed=seed)  # type: ignore[arg-type]
    if not session.model.for_clips:
        raise ModelError(
            f"{session.model.title} takes pictures, which have no time; for a network for clips state seewhy.Model(..., frames=16, layout='btchw')"
        )
    return session
