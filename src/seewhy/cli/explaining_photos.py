"""`seewhy explain` of one photo."""

import json
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.cli import console
from seewhy.cli.job import Job, command
from seewhy.cli.outputs import all_or_none, refuse_existing
from seewhy.cli.summary import summary
from seewhy.data.picture import sample
from seewhy.report.examine import Examination, ask, examine
from seewhy.report.numbers import numbers
from seewhy.report.page import page
from seewhy.report.picture import picture


def explain_photo(job: Job, photo: Path, stem: str) -> dict[str, Any]:
    """Explain one photo, write its files, print its summary; return its numbers."""
    order = job.order
    paths = {ending: job.folder / f"{stem}.why.{ending}" for ending in ("npz", "png", "html", "json")}
    refuse_existing(paths.values(), force=order.force)
    made = sample(photo, job.session.model, job.fit)
    with all_or_none(paths.values()):
        wanted = Examination(hide_test=order.hide_test, notes=(job.why,) if job.why else ())
        asked = ask(job.session, made, job.target, job.method, wanted)
        asked.explanation.save(paths["npz"], force=order.force)  # the map first: tests and page take longer
        report = examine(asked, command(order, photo))
        found = numbers(report)
        contents = {
            "png": render.png_bytes(picture(report)),
            "html": page(report).encode(),
            "json": json.dumps(found, indent=2, allow_nan=False).encode(),
        }
        for ending, content in contents.items():
            render.write_bytes(paths[ending], content, force=order.force)
    if not order.as_json:
        console.out().print(summary(report, list(paths.values())))
    return found | {"files": {ending: str(path) for ending, path in paths.items()}}
