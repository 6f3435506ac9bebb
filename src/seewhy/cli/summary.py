"""What a terminal says about one photo."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seewhy.report.photo import PhotoReport
from seewhy.report.words import region_words

BAR = 20
"""Cells of a probability bar."""


def summary(report: PhotoReport, files: Sequence[Path]) -> RenderableType:
    """Return a report in a screenful of lines; nothing in it depends on colour."""
    chosen = report.explained
    parts: list[RenderableType] = [
        Text(f"{report.name}  {report.size[0]} x {report.size[1]}  {report.model}", style="bold")
    ]
    if report.top:
        parts.append(_classes(report.top, chosen.name))
    parts.append(
        Text(f'evidence for "{chosen.name}": {report.method}' + (f" at {report.layer}" if report.layer else ""))
    )
    parts.append(_facts(report))
    parts.append(Text("wrote  " + "  ".join(str(file) for file in files)))
    parts.append(Text(""))
    return Group(*parts)


def _classes(top: Sequence[tuple[str, float]], chosen: str) -> Table:
    table = Table.grid(padding=(0, 2))
    for rank, (name, probability) in enumerate(top, 1):
        mark = "→" if name == chosen else " "
        table.add_row(f"{mark} {rank}", Text(name), f"{probability:.3f}", "█" * round(BAR * probability))
    return table


def _facts(report: PhotoReport) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    explained = report.explained
    if explained.concentration is not None:
        table.add_row(
            "  where",
            Text(
                f"{explained.where}; the strongest fifth of the area holds {explained.concentration:.0%} of the evidence"
            ),
        )
    for number, region in enumerate(report.regions):
        table.add_row("" if number else "  regions", Text(region_words(region)))
    if report.hide_test is not None:
        table.add_row("  hide test", Text(f"{report.hide_test.outcome}. {report.hide_test.sentence}"))
    if report.channels:
        names = ", ".join(f"{channel.index} ({channel.contribution:+.3g})" for channel in report.channels)
        table.add_row(
            "  channels",
            Text(f"{names}; together {report.channels_share or 0:.0%} of what all channels add or take away"),
        )
    for number, (name, value) in enumerate(report.figures.items()):
        table.add_row("" if number else "  figures", Text(f"{name}: {value:.3g}"))
    if report.covered:
        table.add_row("  operations", Text(report.covered))
    table.add_row("  cost", Text("; ".join(report.cost)))
    for line in report.cautions:
        table.add_row("  caution", Text(line))
    return table
