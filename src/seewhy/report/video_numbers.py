"""Every number of a long video's report as plain values, and its maps as an array file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seewhy.render.encode import written_whole
from seewhy.report.clip_numbers import clip_numbers
from seewhy.report.numbers import plain
from seewhy.report.video import VideoReport

FORMAT = "seewhy-video-1"
"""Name and version of the layout; a change that breaks readers raises the number."""


def video_numbers(report: VideoReport) -> dict[str, Any]:
    """Return the report without its pictures and maps."""
    fused = report.fused
    found: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "video": report.name,
            "frames": report.frames,
            "answer": report.answer,
            "unit": report.unit,
            "windows": [asdict(window) for window in report.windows],
            "explained": report.explained,
            "covered": report.covered,
            "strongest": [{"window": number} | clip_numbers(clip) for number, clip in report.strongest],
            "over_time": {
                "frames": list(fused.numbers),
                "seconds": list(fused.seconds),
                "windows": list(fused.windows),
                "importance": fused.importance,
                "map": list(fused.shape),
            },
        }
    )
    return found


def write_arrays(report: VideoReport, path: Path, *, force: bool = False) -> Path:
    """Write an `.npz` file: `maps` (n, h, w) averaged over windows, with `frames`, `seconds`, `windows`, `importance` (n,) and `about`.

    Maps go from file to file, without all of them in memory.

    Raises:
        DataError: the file exists, or cannot be written.
    """
    fused = report.fused
    about = {"format": FORMAT, "video": report.name, "answer": report.answer, "unit": report.best.reel.unit}
    with written_whole(path, force=force) as begun, begun.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
            maps=fused.maps(),
            frames=np.array(fused.numbers),
            seconds=np.array(fused.seconds),
            windows=np.array(fused.windows),
            importance=fused.importance,
        )
    return path
