"""`seewhy explain` of one photo."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.cli import console
from seewhy.cli.job import Job, command
from seewhy.cli.outputs import all_or_none, refuse_existing
from seewhy.cli.summary import summary
from seewhy.core.sample import Sample
from seewhy.data.picture import sample
from seewhy.report.examine import Asked, Examination, ask, examine
from seewhy.report.numbers import numbers
from seewhy.report.page import page
from seewhy.report.picture import picture


def explain_photo(job: Job, photo: Path, stem: str) -> dict[str, Any]:
    """Explain one photo, write its files, print its summary; return its numbers."""
    refuse_existing(files_of(job, stem).values(), force=job.order.force)
    return explain_sample(job, sample(photo, job.session.model, job.fit), photo, stem)


def files_of(job: Job, stem: str) -> dict[str, Path]:
    """Return which files a photo gives, by their endings."""
    return {ending: job.folder / f"{stem}.why.{ending}" for ending in ("npz", "png", "html", "json")}


def explain_sample(
    job: Job, made: Sample, photo: Path, stem: str, more: Callable[[Asked], dict[Path, bytes]] | None = None
) -> dict[str, Any]:
    """Explain one prepared picture, write its files, print its summary; return its numbers.

    Args:
        job: what is asked.
        made: the picture.
        photo: what the command on the page names.
        stem: name of its files, without their endings.
        more: makes further files, by their paths.
    """
    order, paths = job.order, files_of(job, stem)
    refuse_existing(paths.values(), force=order.force)
    with all_or_none(paths.values()):
        wanted = Examination(hide_test=order.hide_test, notes=(job.why,) if job.why else ())
        asked = ask(job.session, made, job.target, job.method, wanted)
        asked.explanation.save(paths["npz"], force=order.force)  # the map first: tests and page take longer
        report = examine(asked, command(order, photo))
        found = numbers(report)
        contents = {
            paths["png"]: render.png_bytes(picture(report)),
            paths["html"]: page(report).encode(),
            paths["json"]: json.dumps(found, indent=2, allow_nan=False).encode(),
        } | (more(asked) if more else {})
        for path, content in contents.items():
            render.write_bytes(path, content, force=order.force)
    written = [paths["npz"], *contents]
    if not order.as_json:
        console.out().print(summary(report, written))
    return found | {"files": {path.name.removeprefix(f"{stem}.").removeprefix("why."): str(path) for path in written}}
