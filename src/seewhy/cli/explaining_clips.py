"""`seewhy explain` of one video, animation or folder of frames."""

import json
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.cli import console
from seewhy.cli.clip_summary import clip_summary
from seewhy.cli.explaining_videos import explain_video, is_long
from seewhy.cli.job import Job, chosen_short, command
from seewhy.cli.outputs import all_or_none, refuse_existing
from seewhy.core.sample import Sample
from seewhy.data.clips import read_clip
from seewhy.data.source import LONGEST, name_of
from seewhy.engine.preprocessing import prepare_clip
from seewhy.errors import ModelError
from seewhy.report.clip import ClipReport
from seewhy.report.clip_examine import examine_clip
from seewhy.report.clip_numbers import clip_numbers
from seewhy.report.clip_page import clip_page
from seewhy.report.clip_sheet import clip_sheet
from seewhy.report.examine import Examination, ask

ENDINGS = ("npz", "mp4", "webp", "sheet.png", "html", "json")
"""What is written of a clip, each as NAME.why.ENDING; the map first, as tests and pictures take longer."""


def explain_clip(job: Job, video: Path, stem: str, sample: Sample | None = None) -> dict[str, Any]:
    """Explain one clip, write its files, print its summary; return its numbers. `sample` is its frames where they were read already."""
    order = job.order
    paths = {ending: job.folder / f"{stem}.why.{ending}" for ending in ENDINGS}
    refuse_existing(paths.values(), force=order.force)
    files = {"files": {ending: str(path) for ending, path in paths.items()}}
    if sample is None and is_long(job, video):
        return explain_video(job, video, paths) | files
    sample = sample or clip_sample(job, video)
    with all_or_none(paths.values()):
        wanted = Examination(channels=0, hide_test=order.hide_test, notes=(job.why,) if job.why else ())
        asked = ask(job.session, sample, job.target, job.method, wanted)
        asked.explanation.save(paths["npz"], force=order.force)
        report = examine_clip(asked, command(order, video), timed=order.clip.timeline)
        found = write(report, paths, force=order.force)
    if not order.as_json:
        console.out().print(clip_summary(report, list(paths.values())))
    return found | files


def clip_sample(job: Job, video: Path) -> Sample:
    """Read the frames that were asked for, and prepare them."""
    model, asked = job.session.model, job.order.clip
    if model.frames is None:
        raise ModelError(
            f"{video} is a clip, and {model.title} takes pictures; for a network for clips state seewhy.Model(..., frames=16)"
        )
    clip = read_clip(
        video,
        model.frames,
        asked.stride or model.stride,
        short=chosen_short(asked.short),
        start=asked.start,
        end=asked.end,
        longest=LONGEST,
    )
    return prepare_clip(clip, name_of(video), model, job.fit)


def write(report: ClipReport, paths: dict[str, Path], *, force: bool) -> dict[str, Any]:
    """Write movie, preview, sheet, page and numbers of a clip; return the numbers."""
    for ending in ("mp4", "webp"):
        render.write_reel(paths[ending], report.reel, force=force)
    found = clip_numbers(report)
    contents = {
        "sheet.png": render.png_bytes(clip_sheet(report)),
        "html": clip_page(report, paths["mp4"].read_bytes()).encode(),
        "json": json.dumps(found, indent=2, allow_nan=False).encode(),
    }
    for ending, content in contents.items():
        render.write_bytes(paths[ending], content, force=force)
    return found
