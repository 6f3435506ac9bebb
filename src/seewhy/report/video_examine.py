"""Ask a network about a long video, window by window: what each window scores, where its evidence lies, and the strongest ones in full."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.core.clip import Clip
from seewhy.core.cost import Cost
from seewhy.core.method import Method
from seewhy.core.sample import Sample
from seewhy.core.target import Target
from seewhy.engine.block import Question
from seewhy.engine.model import Fit, Model
from seewhy.engine.preprocessing import prepare_clip
from seewhy.engine.session import Session
from seewhy.errors import DataError
from seewhy.report.clip import ClipReport
from seewhy.report.clip_examine import examine_clip
from seewhy.report.examine import Examination, ask
from seewhy.report.fusing import Fusing
from seewhy.report.video import VideoReport, Window
from seewhy.targets import ClassScore
from seewhy.targets.classes import name_of, probabilities

COLLECTED = 16
"""After so many windows, what earlier passes left in memory is freed."""
STRONGEST = 3
"""How many windows are shown in full."""

Clips = Callable[[], Iterable[Clip]]
"""Reads the windows of a video from its beginning; called once for the scores and once for the maps."""
Told = Callable[[str, int, int | None], None]
"""Is told what is done, how many windows are done, and out of how many."""


@dataclass(frozen=True)
class VideoQuestion:
    """What is asked about a long video.

    Args:
        session: runs the network.
        target: what is asked; the predicted class is that with the highest mean probability over all windows.
        method: makes the maps; one that needs more than a forward and a backward is asked about the strongest windows only.
        name: of the video, for people.
        fit: how frames are fitted.
        wanted: what else is asked about the strongest windows.
        timed: whether these get a timeline, too.
        command: makes the report again.
    """

    session: Session
    target: Target
    method: Method
    name: str
    fit: Fit | None = None
    wanted: Examination = field(default_factory=Examination)
    timed: bool = True
    command: str = ""


def examine_video(
    asked: VideoQuestion,
    clips: Clips,
    frames: int,
    maps: tuple[BinaryIO, Path],
    *,
    told: Told | None = None,
    total: int | None = None,
) -> VideoReport:
    """Return what a network says about a video, with memory for one window and for the frames of the strongest ones as they are drawn.

    Args:
        asked: what is asked.
        clips: reads the windows.
        frames: of the video.
        maps: a file for the maps, open for writing, and where it lies.
        told: is told how far it is.
        total: how many windows there are, where that is known.
    """
    told = told or (lambda *_: None)
    windows, target, name, unit = _scored(asked, clips, told, total)
    order = apart(windows)
    chosen = set(range(len(windows))) if asked.method.cost() in (Cost(1, 0), Cost(1, 1)) else set(order)
    fusing, full = Fusing(*maps), dict[int, ClipReport]()
    for number, sample in _prepared(asked, clips):
        if number in order:
            made = ask(asked.session, sample, target, asked.method, asked.wanted)
            full[number] = examine_clip(made, asked.command, timed=asked.timed)
            fusing.add(_clip(sample), made.explanation.heatmap[0])
        elif number in chosen:
            made = ask(asked.session, sample, target, asked.method, Examination(channels=0, hide_test=False))
            fusing.add(_clip(sample), made.explanation.heatmap[0])
        told("maps of windows", number + 1, total)
    return VideoReport(
        name=asked.name,
        frames=frames,
        covered=_covered([windows[number] for number in sorted(chosen)], frames),
        windows=windows,
        explained=len(chosen),
        answer=name,
        unit=unit,
        strongest=tuple(
            (number, report) for number, report in zip(order, one_scale([full[n] for n in order]), strict=True)
        ),
        fused=fusing.done(),
    )


def apart(windows: Sequence[Window], count: int = STRONGEST) -> list[int]:
    """Return which windows are shown in full: those with the highest scores, none of which shares frames with another, highest first."""
    chosen: list[int] = []
    for number in sorted(range(len(windows)), key=lambda number: -windows[number].score):
        here = windows[number]
        if all(here.last < windows[other].first or windows[other].last < here.first for other in chosen):
            chosen.append(number)
        if len(chosen) == count:
            break
    return chosen


def one_scale(reports: list[ClipReport]) -> list[ClipReport]:
    """Return reports whose maps are drawn on one scale, that of the strongest of them."""
    limit = max(report.reel.limit for report in reports)
    said = reports[0].reel.normalization.replace("of the whole clip", "of all windows shown")
    return [
        replace(report, reel=replace(report.reel, limit=limit, normalization=said, title=_title(report)))
        for report in reports
    ]


def _title(report: ClipReport) -> str:
    """Return the line above a window, which says where in the video it lies."""
    return f"why {report.answer}? · {report.name}, {report.reel.times[0]:.2f} to {report.reel.times[-1]:.2f} s"


def _prepared(asked: VideoQuestion, clips: Clips) -> Iterator[tuple[int, Sample]]:
    for number, clip in enumerate(clips()):
        if number % COLLECTED == 0:
            gc.collect()  # a pass and its questions know each other, and would be freed much later
        yield number, prepare_clip(clip, asked.name, asked.session.model, asked.fit)


@dataclass(frozen=True)
class _Seen:
    """One window as it was scored: where it lies, the network's answer, and the target's value."""

    place: tuple[int, int, float, float]
    output: Float[Tensor, " k"]
    score: float


def _scored(
    asked: VideoQuestion, clips: Clips, told: Told, total: int | None
) -> tuple[tuple[Window, ...], Target, str, str]:
    """Return all windows with their scores, the target with its class settled, its name, and the unit of the scores."""
    session, seen, target = asked.session, list[_Seen](), asked.target
    for number, sample in _prepared(asked, clips):
        inputs = session.network.accept(sample.inputs[None])
        target = asked.target.placed([sample], session.model.probability)
        question = Question(session.block(inputs, target.needs()), target)
        output = question.block.shared.reading.output.detach()[0].float().cpu()
        seen.append(_Seen(_place(_clip(sample)), output.flatten().clone(), float(question.score[0])))
        told("scores of windows", number + 1, total)
    bound = question.bound
    shares = _probabilities(session.model, [window.output for window in seen])
    index = None if bound.classes is None else bound.classes[0]
    name, scores = bound.names[0], [window.score for window in seen]
    if shares is not None and isinstance(target, ClassScore) and target.index is None:
        index = int(shares.mean(dim=0).argmax())
        target, name = replace(target, index=index), name_of(index, session.model.labels)
        scores = _class_scores(seen, shares, index, target.unit)
    windows = tuple(
        Window(
            *window.place,
            score=score,
            probability=None if shares is None or index is None else float(shares[row, index]),
            top="" if shares is None else name_of(int(shares[row].argmax()), session.model.labels),
        )
        for row, (window, score) in enumerate(zip(seen, scores, strict=True))
    )
    return windows, target, name, bound.unit


def _class_scores(seen: Sequence[_Seen], shares: Float[Tensor, "n k"], index: int, unit: str) -> list[float]:
    """Return the score, in its unit, of a class that was settled after the windows were seen."""
    if unit == "logit":
        return [float(window.output[index]) for window in seen]
    return [float(share if unit == "probability" else share.log()) for share in shares[:, index]]


def _probabilities(model: Model, outputs: Sequence[Float[Tensor, " k"]]) -> Float[Tensor, "n k"] | None:
    """Return probabilities of classes; None where the answer is none of classes."""
    if model.probability == "none" or len({len(output) for output in outputs}) != 1 or len(outputs[0]) < 2:
        return None
    return probabilities(torch.stack(list(outputs)), model.probability)


def _place(clip: Clip) -> tuple[int, int, float, float]:
    return clip.numbers[0], clip.numbers[-1], clip.seconds[0], clip.seconds[-1]


def _clip(sample: Sample) -> Clip:
    if sample.clip is None:
        raise DataError(f"{sample.name}: the frames of a window are not known")
    return sample.clip


def _covered(windows: Sequence[Window], frames: int) -> float:
    """Return the share of a video's frames that lie between the first and the last frame of a window; windows are in order."""
    reached, covered = -1, 0
    for window in windows:
        covered += max(0, window.last - max(window.first - 1, reached))
        reached = max(reached, window.last)
    return min(1.0, covered / max(1, frames))
