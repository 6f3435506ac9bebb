"""`seewhy explain` of a video that is longer than what the network sees at once: in overlapping windows."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from PIL import Image

from seewhy import render
from seewhy.cli import console
from seewhy.cli.clip_summary import video_summary
from seewhy.cli.job import Job, command
from seewhy.cli.outputs import all_or_none
from seewhy.core.clip import Clip
from seewhy.data.clips import window_count, windows
from seewhy.data.moving import Moving
from seewhy.data.opening import moving
from seewhy.data.source import LONGEST, name_of
from seewhy.render.movie import write_movie
from seewhy.render.preview import write_preview
from seewhy.report.clip_page import clip_page
from seewhy.report.examine import Examination
from seewhy.report.video import VideoReport
from seewhy.report.video_examine import VideoQuestion, examine_video
from seewhy.report.video_numbers import video_numbers, write_arrays
from seewhy.report.video_page import video_sheet, whole_video


def is_long(job: Job, source: Path) -> bool:
    """Say whether a video is done in windows: it is asked for, or frames lie a stated stride apart from the beginning, and one window holds less than half."""
    model, asked = job.session.model, job.order.clip
    stride = asked.stride or model.stride
    if model.frames is None or asked.windows is False or (stride is None and not asked.windows):
        return False
    count = len(_within(job, moving(source)))
    return (
        count > model.frames * (stride or 1)
        if asked.windows
        else asked.start is None and count > 2 * model.frames * (stride or 1)
    )


def explain_video(job: Job, source: Path, paths: dict[str, Path]) -> dict[str, Any]:
    """Explain one long video, write its files, print its summary; return its numbers."""
    order = job.order
    with all_or_none(paths.values()), NamedTemporaryFile(dir=job.folder, prefix=".seewhy-", suffix=".maps") as file:
        report = _examined(job, source, file)
        write_arrays(report, paths["npz"], force=order.force)
        write_movie(paths["mp4"], _images(report), seconds=_shown_at(report), force=order.force)
        write_preview(paths["webp"], _images(report), seconds=_shown_at(report), longest=640, force=order.force)
        found = video_numbers(report)
        contents = {
            "sheet.png": render.png_bytes(video_sheet(report)),
            "html": clip_page(
                report.best, paths["mp4"].read_bytes(), whole=whole_video(report), numbers=found
            ).encode(),
            "json": json.dumps(found, indent=2, allow_nan=False).encode(),
        }
        for ending, content in contents.items():
            render.write_bytes(paths[ending], content, force=order.force)
    if not order.as_json:
        console.out().print(video_summary(report, list(paths.values())))
    return found


def _examined(job: Job, source: Path, file: Any) -> VideoReport:
    model, asked = job.session.model, job.order.clip
    frames, stride = model.frames or 1, asked.stride or model.stride or 1
    inside = len(_within(job, moving(source)))

    def clips() -> Iterable[Clip]:
        return windows(source, frames, stride, asked.step, start=asked.start, end=asked.end, longest=LONGEST)

    wanted = Examination(channels=0, hide_test=job.order.hide_test, notes=(job.why,) if job.why else ())
    question = VideoQuestion(
        job.session,
        job.target,
        job.method,
        name_of(source),
        job.fit,
        wanted,
        asked.timeline,
        command(job.order, source),
    )
    total = window_count(inside, frames, stride, asked.step)
    return examine_video(question, clips, inside, (file, Path(file.name)), told=job.progress, total=total)


def _within(job: Job, video: Moving) -> list[float]:
    """Return the times of the frames between the seconds that were asked for."""
    start, end = job.order.clip.start, job.order.clip.end
    return [time for time in video.times() if (start is None or time >= start) and (end is None or time < end)]


def _images(report: VideoReport) -> Iterator[Image.Image]:
    """Yield the strongest windows as moving pictures, one after the other."""
    for _, clip in report.strongest:
        yield from clip.reel.images()


def _shown_at(report: VideoReport) -> list[float]:
    """Return when each of these pictures is shown."""
    times: list[float] = []
    for _, clip in report.strongest:
        shown = clip.reel.shown_at
        pause = shown[-1] / max(1, len(shown) - 1) or 0.25
        begun = times[-1] + pause if times else 0.0
        times += [begun + time for time in shown]
    return times
