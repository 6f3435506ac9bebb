"""A clip's timeline: which frames matter, when the answer was decided, and whether time matters at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.contributions.frame_segments import SegmentShares, segment_shares
from seewhy.contributions.frames import ClipProbe, FrameImportance, frame_importance
from seewhy.contributions.prefix_curve import PrefixCurve, prefix_curve
from seewhy.core.cost import Cost
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.engine.session import Session
from seewhy.evaluation.time_tests import SHUFFLES, TimeTests, clip_test, time_tests
from seewhy.ops.frames import Hiding, Run, parts_of
from seewhy.ops.ranking import rank_correlation

LOW = 0.5
"""Below this rank correlation the two ways of asking which frames matter are said to disagree."""
CHANCE = 0.05
"""From this chance on an agreement is said to be possible by chance."""
DRAWS = 4999
HARDLY = 0.01
"""Where no frame is missed by more than this share of what all frames add, their order means nothing."""
TIED = 1e-3
"""Frames that differ by less than this, beside the largest, rank alike: rounding has an order, too."""


@dataclass(frozen=True)
class Agreement:
    """How far importance by gradient and by deletion agree on the order of the frames.

    Attributes:
        value: Spearman's rank correlation over frames; None where there is none, as one of them is the same for all frames.
        chance: of orders at random agreeing at least as much (permutation test, one-sided). Frames beside each other are alike, so that the
            true chance is higher.
        frames: over how many.
        warning: what a reader must know; empty where they agree.
    """

    value: float | None
    chance: float | None
    frames: int
    warning: str


@dataclass(frozen=True, eq=False)
class Timeline:
    """Numbers for each frame of a clip.

    Attributes:
        name: of the clip.
        target, unit, score: what is asked, and the answer to the clip as it is.
        seconds: when each frame is shown in the source; None for a ready input.
        numbers_in_source: the number of each frame in the source; None for a ready input.
        importance: frames by deletion, gradient, insertion, and windows of several.
        agreement: of gradient and deletion.
        segments: Shapley values of runs of frames; None where they were not asked for.
        prefix: the score after each frame; None where it was not asked for.
        tests: whether time matters; None where it was not asked for.
        labels: class names.
        notes: what a reader must know.
        cost: passes through the network.
        sample: the clip itself.
    """

    name: str
    target: str
    unit: str
    score: float
    seconds: tuple[float, ...] | None
    numbers_in_source: tuple[int, ...] | None
    importance: FrameImportance
    agreement: Agreement
    segments: SegmentShares | None
    prefix: PrefixCurve | None
    tests: TimeTests | None
    labels: Sequence[str] | None
    notes: tuple[str, ...]
    cost: Cost
    sample: Sample
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return len(self.importance.deletion)

    @property
    def deletion(self) -> Float[Tensor, " t"]:
        """How much the score falls where a frame is hidden."""
        return self.importance.deletion

    @property
    def gradient(self) -> Float[Tensor, " t"] | None:
        """How much the gradient foretells that it falls; None of a black box."""
        return self.importance.gradient

    @property
    def strongest(self) -> int:
        """The frame whose hiding lowers the score the most."""
        return int(self.deletion.argmax())

    @property
    def decision(self) -> float | None:
        """The second (of the source) from which the predicted class changes no more; None without classes, or without times."""
        if self.prefix is None or self.prefix.decided is None or self.seconds is None:
            return None
        return self.seconds[self.prefix.decided]

    @property
    def verdict(self) -> str | None:
        """Whether it is really a video model, in one line."""
        return None if self.tests is None else self.tests.line

    def when(self, frame: int) -> str:
        """Return when a frame is shown, in words."""
        return f"frame {frame}" if self.seconds is None else f"{self.seconds[frame]:.2f} s"

    def text(self) -> str:
        """Return the timeline in a few lines."""
        found = self.agreement
        lines = [
            f"{self.name or 'clip'}: {self.target}, {self.score:.3g} {self.unit}, {self.frames} frames",
        ]
        if is_missed(self.importance):
            worth = f"{float(self.deletion.max()):+.3g} by deletion, {self.importance.hiding}"
            lines.append(f"most missed: {self.when(self.strongest)} ({worth})")
        if found.value is not None:
            lines.append(
                f"gradient and deletion agree by {found.value:.2f} (rank correlation over {found.frames} frames)"
            )
        lines += [found.warning] if found.warning else []
        if self.prefix is not None and self.prefix.decided is not None:
            lines.append(f"decided at {self.when(self.prefix.decided)} ({self.prefix.note})")
        return "\n".join([*lines, *([self.verdict] if self.verdict else []), *self.notes])

    def __str__(self) -> str:
        return self.text()

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        made, agreed = self.importance, self.agreement
        return {
            "clip": self.name,
            "target": self.target,
            "unit": self.unit,
            "score": self.score,
            "seconds": None if self.seconds is None else list(self.seconds),
            "frames": None if self.numbers_in_source is None else list(self.numbers_in_source),
            "hiding": made.hiding,
            "deletion": made.deletion.tolist(),
            "gradient": None if made.gradient is None else made.gradient.tolist(),
            "magnitude": None if made.magnitude is None else made.magnitude.tolist(),
            "insertion": made.insertion.tolist(),
            "all blurred": made.whole,
            "windows": [
                {"frames": list(run), "deletion": value}
                for run, value in zip(made.windows, made.in_windows.tolist(), strict=True)
            ],
            "agreement": {"value": agreed.value, "chance": agreed.chance, "warning": agreed.warning},
            "segments": None if self.segments is None else _segments(self.segments),
            "prefix": None if self.prefix is None else _prefix(self.prefix) | {"decision": self.decision},
            "time tests": None if self.tests is None else self.tests.numbers(),
            "cost": self.cost.as_dict(),
            "notes": list(self.notes),
            "provenance": self.provenance,
        }


def timeline(
    session: Session,
    sample: Sample,
    target: Target,
    *,
    hiding: Hiding = "freeze",
    width: int | None = None,
    stride: int | None = None,
    segments: int | Sequence[Run] | None = 5,
    segment_hiding: Hiding = "blur",
    prefix: bool = True,
    tests: bool = True,
    shuffles: int = SHUFFLES,
) -> Timeline:
    """Return which frames of a clip matter, when the answer was decided, and whether time matters.

    Args:
        session: runs the network.
        sample: the clip.
        target: what is asked.
        hiding: what is shown in the place of hidden frames: "freeze", "interpolate" or "blur"; see `seewhy.contributions.frames`.
        width, stride: of the windows in which several frames are hidden at once.
        segments: how many runs of frames the score is shared among, or the runs (first frame, frame after the last); None leaves them out.
        segment_hiding: the same for segments. A run that is frozen shows one frame all the time, which may hold more of what is asked about
            than the run itself; blur takes away what the frames show.
        prefix: whether the answer after each frame is wanted.
        tests: whether the time tests are wanted.
        shuffles: of the frames, for the tests.

    Raises:
        DataError: the clip is a single frame.
    """
    probe = ClipProbe(session, sample.inputs, target)
    importance = frame_importance(probe, hiding, width=width, stride=stride)
    runs = parts_of(probe.frames, min(segments, probe.frames)) if isinstance(segments, int) else segments
    shares = None if runs is None else segment_shares(probe, runs, segment_hiding)
    curve = prefix_curve(probe) if prefix else None
    tested = time_tests([clip_test(probe, sample.name, shuffles=shuffles)], session.seed) if tests else None
    clip = sample.clip
    return Timeline(
        name=sample.name,
        target=probe.bound.names[0],
        unit=probe.bound.unit,
        score=probe.score,
        seconds=None if clip is None else clip.seconds,
        numbers_in_source=None if clip is None else clip.numbers,
        importance=importance,
        agreement=agreement_of(importance, session.seed),
        segments=shares,
        prefix=curve,
        tests=tested,
        labels=session.model.labels,
        notes=tuple(session.network.notes) + probe.bill.remarks,
        cost=probe.bill.cost,
        sample=sample,
        provenance=session.provenance,
    )


def agreement_of(importance: FrameImportance, seed: int = 0) -> Agreement:
    """Return how far importance by gradient and by deletion agree."""
    frames = len(importance.deletion)
    if importance.gradient is None:
        return Agreement(None, None, frames, "")
    missed = float(importance.deletion.abs().max())
    if not is_missed(importance):
        return Agreement(
            None,
            None,
            frames,
            f"no single frame is missed: hiding one changes the score by {missed:.2g} at most, and by {importance.whole:.3g} where all are "
            "blurred; look at windows and at parts of the clip",
        )
    rows = torch.stack([importance.gradient.double().cpu(), importance.deletion.double().cpu()])
    spread = rows.amax(dim=1) - rows.amin(dim=1)
    if bool((spread <= 1e-9 * rows.abs().amax(dim=1)).any()):
        what = "deletion" if float(spread[1]) <= float(spread[0]) else "the gradient"
        return Agreement(None, None, frames, f"{what} says the same of all frames, so there is no order to compare")
    rows = (rows / (TIED * rows.abs().amax(dim=1, keepdim=True))).round()
    value = float(rank_correlation(rows)[0, 1])
    chance = _chance(rows, value, seed)
    return Agreement(value, chance, frames, _warning(value, chance, frames))


def is_missed(importance: FrameImportance) -> bool:
    """Say whether any single frame is missed at all, beside what all frames add."""
    return float(importance.deletion.abs().max()) > HARDLY * abs(importance.whole)


def _chance(rows: Float[Tensor, "2 t"], value: float, seed: int) -> float:
    generator = np.random.default_rng(seed)
    first, second = (row.numpy() for row in rows)
    orders = np.stack([generator.permutation(second) for _ in range(DRAWS)])
    stacked = torch.from_numpy(np.concatenate([first[None], orders]))
    found = rank_correlation(stacked)[0, 1:]
    return (int((found >= value - 1e-12).sum()) + 1) / (DRAWS + 1)


def _warning(value: float, chance: float, frames: int) -> str:
    if frames < 5:
        return f"{frames} frames are too few to tell whether gradient and deletion agree"
    if value < LOW:
        return (
            f"gradient and deletion disagree on which frames matter (rank correlation {value:.2f}): the gradient tells of small changes, "
            "deletion of whole frames; believe deletion, and look at windows of several frames"
        )
    if chance >= CHANCE:
        return f"that gradient and deletion agree by {value:.2f} may be chance (p = {chance:.2g}): there are only {frames} frames"
    return ""


def _segments(shares: SegmentShares) -> dict[str, Any]:
    return {
        "runs": [list(run) for run in shares.runs],
        "values": shares.values.tolist(),
        "error": shares.error.tolist(),
        "explained": shares.explained,
        "residual": shares.residual,
        "exact": shares.exact,
        "coalitions": shares.coalitions,
        "hiding": shares.hiding,
    }


def _prefix(curve: PrefixCurve) -> dict[str, Any]:
    return {
        "scores": curve.scores.tolist(),
        "classes": None if curve.classes is None else list(curve.classes),
        "decided": curve.decided,
        "way": curve.way,
        "memory": list(curve.memory),
        "note": curve.note,
    }
