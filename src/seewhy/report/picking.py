"""Which frames of a clip stand on its sheet."""

from seewhy.render.reel import strongest_frames, uniform_frames
from seewhy.report.clip import ClipReport

STRONGEST, EVEN = 6, 6
"""How many frames stand on a sheet because they are the strongest, and how many because they lie evenly over the clip."""


def picked(report: ClipReport) -> list[tuple[str, list[int]]]:
    """Return the strongest frames, strongest first, and frames that lie evenly over the clip, so that the rest can be judged too."""
    return [
        ("strongest", strongest_frames(report.importance, min(STRONGEST, len(report.reel)))),
        ("evenly", uniform_frames(len(report.reel), EVEN)),
    ]
