"""`seewhy timeline` and `seewhy time-tests`."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from typer import Exit

from seewhy import render
from seewhy.adapters.load import load_model
from seewhy.api import Session
from seewhy.api.timing import clip_tested, timeline
from seewhy.cli import console
from seewhy.cli.explaining import chosen_fit, chosen_target
from seewhy.cli.outputs import all_or_none, prepare, refuse_existing, stems
from seewhy.cli.progress import Watch, watched
from seewhy.core.target import Target
from seewhy.data.source import clips_in
from seewhy.errors import ConfigError, ModelError
from seewhy.evaluation.time_tests import ClipTest, TimeTests, time_tests
from seewhy.ops.frames import Hiding
from seewhy.report.time_tests_page import time_tests_page

ENDINGS = ("html", "png", "json")


@dataclass(frozen=True)
class Order:
    """What was asked on the command line."""

    videos: list[Path]
    model: str
    checkpoint: Path | None
    target: str | None
    shuffles: int
    out: Path
    fit: str | None
    as_json: bool
    force: bool
    seed: int
    device: str | None
    hiding: str = "freeze"
    width: int | None = None
    segments: int = 5


@dataclass(frozen=True)
class Job:
    """What is settled for all videos."""

    order: Order
    session: Session
    target: Target
    folder: Path


def run_timeline(order: Order) -> None:
    """Do every video; end with exit code 3 where some failed."""
    done: list[dict[str, Any]] = []
    if order.hiding not in get_args(Hiding):
        with console.usage():
            raise ConfigError(f"--hiding is {', '.join(get_args(Hiding))}; got {order.hiding!r}")
    with watched() as watch:
        job, videos = _settled(order)
        watch.begin(len(videos))
        names = dict(zip(videos, stems(videos), strict=True))
        failed = _each(videos, watch, lambda video: done.append(_timeline(job, video, names[video])))
    if order.as_json:
        sys.stdout.write(json.dumps({"videos": done, "failed": failed}, indent=2) + "\n")
    _end(failed, len(videos))


def _timeline(job: Job, video: Path, stem: str) -> dict[str, Any]:
    order = job.order
    paths = {ending: job.folder / f"{stem}.timeline.{ending}" for ending in ENDINGS}
    refuse_existing(paths.values(), force=order.force)
    [sample] = job.session.samples([video], chosen_fit(order.fit))
    made = timeline(
        sample,
        job.session,
        job.target,
        hiding=cast("Hiding", order.hiding),
        width=order.width,
        segments=order.segments,
        shuffles=order.shuffles,
        seed=order.seed,
        command=_command(order, "timeline", [video]),
    )
    with all_or_none(paths.values()):
        for path in paths.values():
            made.save(path, force=order.force)
    if not order.as_json:
        console.out().print(made.text(), markup=False, highlight=False)
        _tell(list(paths.values()))
    return made.numbers() | {"files": {ending: str(path) for ending, path in paths.items()}}


def run_tests(order: Order) -> None:
    """Test all videos together; end with exit code 3 where some failed."""
    tests: list[ClipTest] = []
    with watched() as watch:
        job, videos = _settled(order)
        paths = [job.folder / "time-tests.html", job.folder / "time-tests.json"]
        with console.usage():
            refuse_existing(paths, force=order.force)
        watch.begin(len(videos))

        def test(video: Path) -> None:
            [sample] = job.session.samples([video], chosen_fit(order.fit))
            tests.append(clip_tested(job.session, sample, job.target, name=video.name, shuffles=order.shuffles))

        failed = _each(videos, watch, test)
    if tests:
        _write(job, time_tests(tests, order.seed), paths, failed)
    _end(failed, len(videos))


def _write(job: Job, found: TimeTests, paths: list[Path], failed: list[dict[str, str]]) -> None:
    order = job.order
    numbers = found.numbers() | {"failed": failed, "provenance": job.session.provenance}
    page = time_tests_page(
        found,
        numbers,
        model=job.session.model.title,
        command=_command(order, "time-tests", order.videos),
        provenance=job.session.provenance,
    )
    with console.usage(), all_or_none(paths):
        render.write_bytes(paths[0], page.encode(), force=order.force)
        render.write_bytes(paths[1], json.dumps(numbers, indent=2, allow_nan=False).encode(), force=order.force)
    if order.as_json:
        sys.stdout.write(json.dumps(numbers, indent=2) + "\n")
    else:
        console.out().print(found.text(), markup=False, highlight=False)
        _tell(paths)


def _settled(order: Order) -> tuple[Job, list[Path]]:
    """Settle what all videos share, so that a mistake in it costs no work."""
    with console.usage():
        videos = clips_in(order.videos)
        model = load_model(order.model, order.checkpoint)
        model.needs_preprocessing()
        if not model.for_clips:
            raise ModelError(
                f"{model.title} takes pictures, which have no time; a network for clips states seewhy.Model(..., frames=16, layout='btchw')"
            )
        chosen_fit(order.fit)
        session = Session(model, device=order.device, seed=order.seed)
        return Job(order, session, chosen_target(model, order.target, None), prepare(order.out)), videos


def _each(videos: list[Path], watch: Watch, do: Any) -> list[dict[str, str]]:
    """Do every video, also where others fail; return what failed."""
    failed: list[dict[str, str]] = []
    for number, video in enumerate(videos):
        try:
            do(video)
        except KeyboardInterrupt:
            raise console.interrupted(number - len(failed), len(videos)) from None
        except Exception as error:  # whatever is wrong with one video, the others are still done
            if console.settings.debug:
                raise
            console.complain(error, str(video))
            failed.append({"video": str(video), "error": str(error)})
        watch.advance()
    return failed


def _end(failed: list[dict[str, str]], count: int) -> None:
    if failed:
        console.say(f"{len(failed)} of {count} failed")
        raise Exit(console.SOME_FAILED)


def _tell(paths: list[Path]) -> None:
    for path in paths:
        console.out().print(f"wrote  {path}", markup=False)


def _command(order: Order, name: str, videos: list[Path]) -> str:
    """Return the command that makes the same page again."""
    words = ["seewhy", name, *map(str, videos), "--model", order.model]
    for option, value, usual in (
        ("--checkpoint", order.checkpoint, None),
        ("--target", order.target, None),
        ("--hiding", order.hiding, "freeze"),
        ("--width", order.width, None),
        ("--segments", order.segments, 5),
        ("--shuffles", order.shuffles, 10),
        ("--fit", order.fit, None),
        ("--seed", order.seed, 0),
    ):
        words += [option, str(value)] if value != usual else []
    return shlex.join(words)
