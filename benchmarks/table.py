"""The measured rows as markdown."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.peers import WHY_APART
from benchmarks.rows import Found, Result
from benchmarks.starts import BAR, Start

CLOSE = 1e-5
"""Two maps from 0 to 1 are the same below this."""


def passes_table(results: Iterable[Result]) -> str:
    """Costs in F, one line per row and library."""
    head = ("row", "ours", "bar", "reached", "forwards + backwards", "library", "theirs", "theirs / ours")
    return markdown(head, [line for result in results for line in _lines(result)])


def _lines(result: Result) -> list[Sequence[str]]:
    """Return a line for each library; what is ours stands in the first one only."""
    row = result.row
    bar, reached = ("", "") if row.bar is None else (f"{row.bar:g} F", _yes(result.ours, row.bar))
    ours = (row.name, f"**{result.ours:.2f} F**", bar, reached, result.passes)
    first, *others = [_about(found, result) for found in result.peers] or [("", "", "")]
    return [(*ours, *first), *[("", "", "", "", "", *other) for other in others]]


def _about(found: Found, result: Result) -> Sequence[str]:
    asked = len(result.row.methods)
    name = found.peer if found.methods == asked else f"{found.peer} ({found.methods} of {asked})"
    if found.cost is None:
        return name, "not installed", ""
    ratio, least = found.cost / result.ours, result.row.ratios.get(found.peer)
    held = "" if least is None else f" (at least {least:g}: {_yes(-ratio, -least)})"
    return name, f"{found.cost:.2f} F", f"{ratio:.1f} x{held}"


def parity_table(results: Iterable[Result]) -> str:
    """Largest differences by method and library, over all rows."""
    pairs = [((found.peer, key), apart) for r in results for found in r.peers for key, apart in found.apart.items()]
    worst: dict[tuple[str, str], list[float]] = {}
    for name, apart in pairs:
        worst[name] = [max(both) for both in zip(apart, worst.get(name, (0.0, 0.0)), strict=True)]
    lines = [
        (key, peer, f"{single:.0e}", f"{double:.0e}", _yes(single, CLOSE), _reason(peer, key, single))
        for (peer, key), (single, double) in sorted(worst.items(), key=lambda item: item[0][::-1])
    ]
    return markdown(("method", "library", "float32", "float64", f"within {CLOSE:.0e}", "why not"), lines)


def _reason(peer: str, key: str, apart: float) -> str:
    return WHY_APART.get((peer, key), "unexplained") if apart > CLOSE else ""


def _yes(value: float, bar: float) -> str:
    return "yes" if value <= bar else "**no**"


def memory_table(found: Mapping[str, list[float] | None], counts: Sequence[int]) -> str:
    """Growth of the peak in MiB, by number of samples."""
    lines = [
        (task, *["not installed"] * len(counts))
        if grown is None
        else (task, *[f"{mebibytes:.0f} MiB" for mebibytes in grown])
        for task, grown in found.items()
    ]
    return markdown(("task", *[f"{count} samples" for count in counts]), lines)


def starts_table(starts: Iterable[Start]) -> str:
    """Seconds beyond the import of torch."""
    lines = [
        (start.name, "not installed", "", "")
        if start.processor is None
        else (
            start.name,
            f"{start.processor:.2f} s",
            f"{start.wall:.2f} s",
            _yes(start.processor, BAR) if "seewhy" in start.name else "",
        )
        for start in starts
    ]
    return markdown(("start", "processor", "wall", f"at most {BAR:g} s"), lines)


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *lines])
