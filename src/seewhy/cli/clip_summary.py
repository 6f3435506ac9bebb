"""What a terminal says about one clip."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seewhy.cli.summary import BAR
from seewhy.report.clip import ClipReport
from seewhy.report.clip_words import answer_words, margins_words, time_words, tube_words, when_words
from seewhy.report.video import VideoReport

TUBES = 3
"""How many of the heaviest tubes are told."""
_STEPS = "▁▂▃▄▅▆▇█"


def clip_summary(report: ClipReport, files: Sequence[Path]) -> RenderableType:
    """Return a report in a screenful of lines; nothing in it depends on colour."""
    parts: list[RenderableType] = [
        Text(f"{report.name}  {report.size[0]} x {report.size[1]}, {_span(report)}  {report.model}", style="bold")
    ]
    if report.top:
        table = Table.grid(padding=(0, 2))
        for rank, row in enumerate(report.top, 1):
            mark = "→" if row.explained else " "
            table.add_row(
                f"{mark} {rank}", Text(row.name), f"{row.probability:.3f}", "█" * round(BAR * row.probability)
            )
        parts.append(table)
    at = f" at {report.layer}" if report.layer else ""
    parts.append(Text(f'evidence for "{report.answer}" ({answer_words(report)}): {report.method}{at}'))
    parts.append(_facts(report))
    parts.append(Text("wrote  " + "  ".join(str(file) for file in files)))
    parts.append(Text(""))
    return Group(*parts)


def video_summary(report: VideoReport, files: Sequence[Path]) -> RenderableType:
    """Return a long video in a few lines, then its strongest window."""
    first, last = report.windows[0], report.windows[-1]
    scores = [window.score if window.probability is None else window.probability for window in report.windows]
    classes = first.probability is not None
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "  windows", Text(f"{sparkline(scores)}  {'probability' if classes else report.unit} of {report.answer}")
    )
    table.add_row("  evidence", Text(f"{sparkline(report.fused.importance.tolist())}  sum of the map in each frame"))
    for place, (number, _) in enumerate(report.strongest, start=1):
        window = report.windows[number]
        value = f"{window.score:.3g} {report.unit}" if window.probability is None else f"p = {window.probability:.3f}"
        table.add_row(f"  {place}", Text(f"{window.start:.2f} to {window.end:.2f} s: {value}"))
    covered = f"{report.explained} of {len(report.windows)} windows have a map; {report.covered:.0%} of the frames lie in one of these"
    return Group(
        Text(f"{report.name}  {len(report.windows)} windows, {first.start:.2f} to {last.end:.2f} s", style="bold"),
        table,
        Text(f"  {covered}"),
        Text("strongest window:"),
        clip_summary(report.best, files),
    )


def _span(report: ClipReport) -> str:
    seconds = report.reel.seconds
    count = f"{len(report.reel)} frames"
    return count if seconds is None else f"{count}, {seconds[0]:.2f} to {seconds[-1]:.2f} s"


def _facts(report: ClipReport) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("  when", Text(f"{sparkline([float(value) for value in report.importance])}  {when_words(report)}"))
    table.add_row("  map", Text(margins_words(report.margins)))
    for number, tube in enumerate(report.tubes[:TUBES], start=1):
        table.add_row(f"  tube {number}", Text(tube_words(tube)))
    if not report.tubes and report.outlined:
        table.add_row("  tubes", Text("none: the evidence is scattered in small pieces"))
    if len(report.tubes) > TUBES:
        table.add_row("", Text(f"and {len(report.tubes) - TUBES} more, in the JSON file"))
    if report.hide_test is not None:
        table.add_row("  hide test", Text(f"{report.hide_test.outcome}. {report.hide_test.sentence}"))
    for number, line in enumerate(time_words(report)):
        table.add_row("" if number else "  time", Text(line))
    for number, (name, value) in enumerate(report.figures.items()):
        table.add_row("" if number else "  figures", Text(f"{name}: {value:.3g}"))
    if report.covered:
        table.add_row("  operations", Text(report.covered))
    table.add_row("  cost", Text("; ".join(report.cost)))
    for line in report.cautions:
        table.add_row("  caution", Text(line))
    return table


def sparkline(values: Sequence[float], most: int = 40) -> str:
    """Return numbers as a row of bars of eight heights from zero to the largest; negative ones are the lowest bar. More than `most` are averaged."""
    if len(values) > most:
        edges = [len(values) * place // most for place in range(most + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    high = max(values)
    return "".join(_STEPS[round(7 * max(0.0, value) / high) if high > 0 else 0] for value in values)
