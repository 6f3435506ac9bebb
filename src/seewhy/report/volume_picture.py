"""The three planes through a scan's strongest place, as one picture."""

from PIL import Image

from seewhy.render.bar import percent
from seewhy.render.planes import three_planes
from seewhy.report.volume import CREED, VolumeReport
from seewhy.report.words import hide_line


def volume_picture(report: VolumeReport) -> Image.Image:
    """Draw the three planes through the map's peak, without and with the map."""
    tested = hide_line(report.hide_test) if report.hide_test else "hide test: not run"
    return three_planes(
        report.cubes.stack,
        signed=report.signed,
        limit=report.limit,
        title=f"why {report.answer}?   {report.name}",
        unit=report.unit,
        normalization=report.normalization,
        notes=(region_line(report), tested, CREED),
    )


def region_line(report: VolumeReport) -> str:
    """Say in one line what the strongest region is."""
    if not report.regions.rows:
        return "outlined: nothing; no place speaks for it"
    first = report.regions.rows[0]
    measure = "x".join(f"{side:.0f}" for side in first.extent)
    unit = "mm" if report.volume.measured else "voxels"
    side = f", {first.side}" if first.side else ""
    count = len(report.regions.rows)
    return (
        f"outlined: the map above half of its maximum, {count} region{'s' if count > 1 else ''}; the strongest has {first.size:.3g} {first.unit} "
        f"({measure} {unit}{side}) and {percent(first.share)} of the evidence"
    )
