"""`seewhy explain` of one video."""

import json
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.cli.job import Job
from seewhy.cli.outputs import all_or_none, refuse_existing


def explain_clip(job: Job, video: Path, stem: str) -> dict[str, Any]:
    """Explain one video, write its files, print its summary; return its numbers."""
    paths = {ending: job.folder / f"{stem}.why.{ending}" for ending in ("npz", "png", "json")}
    refuse_existing(paths.values(), force=job.order.force)
    [sample] = job.session.samples([video], job.fit)
    with all_or_none(paths.values()):
        explanation = job.session.explain([sample], job.target, job.method)
        explanation.save(paths["npz"], force=job.order.force)
        explanation.save(paths["png"], force=job.order.force)
        found: dict[str, Any] = explanation.summary()
        render.write_bytes(paths["json"], json.dumps(found, indent=2, allow_nan=False).encode(), force=job.order.force)
    return found | {"files": {ending: str(path) for ending, path in paths.items()}}
