"""The time tests of many clips as one HTML file."""

from collections.abc import Mapping
from typing import Any

from seewhy.evaluation.time_tests import ClipTest, TimeTests
from seewhy.render.bar import figures
from seewhy.report.sheet import kept, sheet
from seewhy.report.timeline_page import CREED, verdict_card


def time_tests_page(
    found: TimeTests,
    numbers: Mapping[str, Any],
    *,
    model: str,
    command: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> str:
    """Return the page.

    Args:
        found: the tests.
        numbers: the same as plain values; they travel inside the page.
        model: the network's name.
        command: makes the page again.
        provenance: what made it.
    """
    count = len(found.clips)
    return sheet(
        "time_tests",
        title=f"Time tests of {model}",
        subtitles=(f"{count} clip{'' if count == 1 else 's'}, each asked about {_asked(found)}",),
        content={"tests": verdict_card(found), "rows": [_row(clip) for clip in found.clips]},
        numbers=numbers,
        creed=CREED[1:],
        command=command,
        provenance=provenance,
        base="timeline",
    )


def _asked(found: TimeTests) -> str:
    targets = sorted({clip.target for clip in found.clips})
    return targets[0] if len(targets) == 1 else "its own class"


def _row(clip: ClipTest) -> list[str]:
    shares = (clip.still.max(), clip.alone.max(), clip.shuffled.mean(), clip.backward)
    told = [kept(f"{100 * float(share):.0f} %") for share in shares] if clip.told else ["–"] * len(shares)
    return [clip.name, clip.target, figures(clip.score), figures(clip.empty), *told]
