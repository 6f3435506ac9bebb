"""What a terminal says about one scan."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seewhy.cli.summary import BAR
from seewhy.render.bar import percent
from seewhy.report.volume import VolumeReport
from seewhy.report.volume_page import measured


def volume_summary(report: VolumeReport, files: Sequence[Path]) -> RenderableType:
    """Return a report in a screenful of lines; nothing in it depends on colour."""
    shape = " x ".join(map(str, report.source_shape))
    parts: list[RenderableType] = [Text(f"{report.name}  {shape} voxels  {report.model}", style="bold")]
    if report.top:
        table = Table.grid(padding=(0, 2))
        for rank, row in enumerate(report.top, 1):
            mark = "→" if row.explained else " "
            table.add_row(
                f"{mark} {rank}", Text(row.name), f"{row.probability:.3f}", "█" * round(BAR * row.probability)
            )
        parts.append(table)
    parts.append(
        Text(f'evidence for "{report.answer}": {report.method}' + (f" at {report.layer}" if report.layer else ""))
    )
    parts += [_facts(report), Text("wrote  " + "  ".join(str(file) for file in files)), Text("")]
    return Group(*parts)


def _facts(report: VolumeReport) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    unit = "mm" if report.volume.measured else "voxels"
    for number, region in enumerate(report.regions.rows):
        extent = " x ".join(f"{side:.0f}" for side in region.extent)
        side = f"{region.side} of the scan, " if region.side else ""
        mean = f"{measured(region.mean)} {report.volume.unit}".strip()
        table.add_row(
            "" if number else "  regions",
            Text(
                f"{measured(region.size)} {region.unit}, {extent} {unit}, {side}voxel {', '.join(map(str, region.voxel))}; "
                f"mean {mean}; {percent(region.share)} of the evidence"
            ),
        )
    if not report.regions.rows:
        table.add_row("  regions", "none: nothing on the map speaks for the answer")
    if report.hide_test is not None:
        table.add_row("  hide test", Text(f"{report.hide_test.outcome}. {report.hide_test.sentence}"))
    for number, (name, value) in enumerate(report.figures.items()):
        table.add_row("" if number else "  figures", Text(f"{name}: {value:.3g}"))
    if report.covered:
        table.add_row("  operations", Text(report.covered))
    table.add_row("  cost", Text("; ".join(report.cost)))
    for line in report.cautions:
        table.add_row("  caution", Text(line))
    return table
