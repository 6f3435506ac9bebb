"""The measured rows as markdown."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.rows import Found, Result
from benchmarks.starts import BAR, Start

HEAD = ("row", "ours", "bar", "reached", "passes", "library", "theirs", "theirs / ours", "apart", "apart, float64")


def passes_table(results: Iterable[Result]) -> str:
    """Costs in F, one line per row and library."""
    return markdown(HEAD, [line for result in results for line in _lines(result)])


def _lines(result: Result) -> list[Sequence[str]]:
    """Return a line for each library; what is ours stands in the first one only."""
    row = result.row
    ours = (row.name, f"**{result.ours:.2f} F**", f"{row.bar:g} F", _yes(result.ours, row.bar), result.passes)
    first, *others = [_about(found, result) for found in result.peers]
    return [(*ours, *first), *[("", "", "", "", "", *other) for other in others]]


def _about(found: Found, result: Result) -> Sequence[str]:
    asked = len(result.row.methods)
    name = found.peer if found.methods == asked else f"{found.peer} ({found.methods} of {asked})"
    if found.cost is None:
        return name, found.missing, "", "", ""
    worst = f" ({found.worst})" if found.worst and asked > 1 else ""
    return (
        name,
        f"{found.cost:.2f} F",
        f"{found.cost / result.ours:.1f} x",
        _difference(found.apart) + worst,
        _difference(found.apart_double),
    )


def _difference(apart: float | None) -> str:
    return "" if apart is None else f"{apart:.0e}"


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
