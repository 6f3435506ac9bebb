"""One scan, explained, as one HTML file: three planes to scroll through, window presets, the table of regions."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from seewhy.core.volume import Volume, Window, full_window
from seewhy.evaluation.scan_regions import Region
from seewhy.render.bar import figures, percent
from seewhy.render.colors import colorize
from seewhy.render.encode import data_uri, webp_bytes, webp_exact
from seewhy.render.planes import PLANES, SIDES, Stack, crosshair, drawn_plane
from seewhy.report.images import DETAILS, gradient
from seewhy.report.page import hide_rows
from seewhy.report.sheet import embedded, kept, sheet
from seewhy.report.volume import CREED, VolumeReport
from seewhy.report.volume_numbers import volume_numbers
from seewhy.report.volume_stack import Cubes
from seewhy.report.words import probability

LARGEST = 3_000_000
"""Bytes that a page stays under."""

CT_WINDOWS = (
    Window(40, 400, name="soft tissue"),
    Window(-600, 1500, name="lung"),
    Window(400, 1800, name="bone"),
    Window(40, 80, name="brain"),
)
"""Windows in which computed tomography is looked at."""


@dataclass(frozen=True)
class _Detail:
    """Cubes along the longest side of scan and map, and WebP quality of the scan."""

    scan: int
    heat: int
    quality: int


_DETAILS = (_Detail(144, 72, 74), _Detail(128, 64, 60), _Detail(112, 56, 45), _Detail(88, 48, 35), _Detail(64, 40, 30))


def volume_page(report: VolumeReport) -> str:
    """Return the page of a scan as HTML; it is made as fine as its size allows."""
    html = ""
    for detail in _DETAILS:
        html = _rendered(report, detail)
        if len(html.encode()) < LARGEST:
            break
    return html


def presets(volume: Volume) -> tuple[Window, ...]:
    """Return the windows that a page offers, the scan's own first."""
    own = volume.shown
    named = Window(own.center, own.width, own.shape, own.name or "as the file says")
    known = CT_WINDOWS if volume.unit == "HU" else (full_window(volume.values),)
    whole = Window.between(float(volume.values.min()), float(volume.values.max()), "all values")
    found = {(one.center, one.width): one for one in (whole, *reversed(known), named)}
    return tuple(reversed(found.values()))


def measured(value: float) -> str:
    """Return a number as people write measures: three figures, large ones without decimals and never as a power of ten."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else figures(value)


def _rendered(report: VolumeReport, detail: _Detail) -> str:
    return sheet(
        "volume",
        style="photo",
        title=f"Why “{report.answer}”? · {report.name}",
        content=_content(report, detail),
        numbers=volume_numbers(report),
        cautions=report.cautions,
        creed=(CREED,),
        command=report.command,
        provenance=report.provenance,
    )


def _content(report: VolumeReport, detail: _Detail) -> dict[str, Any]:
    cubes = report.cubes.at_most(detail.scan)
    stack, shown = cubes.stack, presets(report.volume)
    return {
        "report": report,
        "value": _answer(report),
        "planes": [_plane(report, stack, name) for name in PLANES],
        "presets": [
            (at, window.name, f"{measured(window.center)} / {measured(window.width)}")
            for at, window in enumerate(shown)
        ],
        "mosaics": [_mosaic(cubes.volume.grey(window) * 255, detail.quality) for window in shown],
        **_overlays(report, cubes, detail),
        "gradient": gradient(signed=report.signed, limit=report.limit),
        "test": hide_rows(report.hide_test, DETAILS[0]) if report.hide_test else None,
        "rows": [_row(report, stack, region, at) for at, region in enumerate(report.regions.rows)],
        "spacing": " × ".join(f"{step:.3g}" for step in volume_numbers(report)["scan"]["spacing_mm"] or ()),
        "held": kept(percent(sum(region.share for region in report.regions.rows))),
        "columns": " ".join(f"{width}fr" for width in (stack.grey.shape[2], stack.grey.shape[2], stack.grey.shape[1])),
        "tilt": report.volume.tilt if report.volume.oriented else 0.0,
    }


def _answer(report: VolumeReport) -> str:
    """Return "p = 0.71" for a class, or the score where the target is no class."""
    if report.probability is None:
        return f"{figures(report.score)} {report.score_unit}".strip()
    text = probability(report.probability)
    return f"p {text}" if text[0] in "uo" else f"p = {text}"


def _size(stack: Stack) -> tuple[int, int, int]:
    depth, height, width = stack.grey.shape
    return depth, height, width


def _plane(report: VolumeReport, stack: Stack, name: str) -> dict[str, Any]:
    """Return a plane through the peak, for those who run no scripts, and its slider."""
    at = stack.peak
    axis = PLANES.index(name)
    drawn = drawn_plane(stack, name, at, 2.0, signed=report.signed, limit=report.limit)
    row, column = crosshair(name, at, stack.grey.shape[0])
    return {
        "name": name if stack.named else f"axis {axis + 1}",
        "sides": SIDES[name] if stack.named else "    ",
        "picture": data_uri(webp_bytes(drawn, 72), "image/webp"),
        "ratio": drawn.width / drawn.height,
        "words": f"{name} plane through the strongest place, row {row}, column {column}",
        "last": stack.grey.shape[axis] - 1,
        "at": at[axis],
        "axis": axis,
    }


def _overlays(report: VolumeReport, cubes: Cubes, detail: _Detail) -> dict[str, Any]:
    """Return the map and the regions as mosaics, and what the script needs to draw them."""
    stack, coarse = cubes.stack, report.cubes.at_most(detail.heat).stack
    heat = np.nan_to_num(coarse.heat)
    end = report.limit or 1.0
    codes = 128 + 127 * np.clip(heat / end, -1, 1) if report.signed else 255 * np.clip(heat / end, 0, 1)
    area = gaussian_filter(cubes.area, 0.9)
    about = {
        "size": _size(stack),
        "heat": _size(coarse),
        "at": stack.peak,
        "seen": _seen(coarse),
        "signed": report.signed,
        "colours": _colours(report).tolist(),
        "named": stack.named,
        "ends": _ends(report.volume, stack),
        "peaks": [_cube(report, stack, region) for region in report.regions.rows],
    }
    return {
        "about": embedded(about),
        "heat": _mosaic(codes, None),
        "area": _mosaic(np.clip(area, 0, 1) * 255, None),
        "unseen": bool(np.isnan(coarse.heat).any()),
    }


def _colours(report: VolumeReport) -> UInt8[np.ndarray, "256 4"]:
    """Return colour and opacity of each value of the map's mosaic."""
    values = (np.arange(256) - 128) / 127 if report.signed else np.arange(256) / 255
    row: UInt8[np.ndarray, "256 4"] = colorize(
        values[None], signed=report.signed, limit=1.0 if report.limit else 0.0, opacity=1.0
    )[0]
    return row


def _seen(stack: Stack) -> list[list[float]]:
    """Return where the part that the network saw begins and ends along each axis, as shares: it is a box."""
    known = np.isfinite(stack.heat)
    found = []
    for axis in range(3):
        along = np.flatnonzero(known.any(axis=tuple(other for other in range(3) if other != axis)))
        cells = known.shape[axis]
        found.append([float(along[0]) / cells, float(along[-1] + 1) / cells] if len(along) else [0.0, 0.0])
    return found


def _ends(volume: Volume, stack: Stack) -> list[list[float]]:
    """Return the millimetres (up, back, left of the scanner's origin) of the first and the last plane along each axis, in the scan's middle."""
    found = []
    for axis, (row, sign) in enumerate(((2, 1.0), (1, -1.0), (0, -1.0))):
        middle = (np.array(volume.shape) - 1) / 2
        places = []
        for cube in (0, stack.grey.shape[axis] - 1):
            middle[axis] = (cube + 0.5) * volume.shape[axis] / stack.grey.shape[axis] - 0.5
            places.append(float(sign * (volume.affine @ np.append(middle, 1.0))[row]))
        found.append(places)
    return found


def _cube(report: VolumeReport, stack: Stack, region: Region) -> list[int]:
    """Return in which cube a region's strongest voxel lies."""
    turn = report.volume.turn(report.directions)  # from shown to the file's own axes
    place = [0, 0, 0]
    for own, (axis, flip) in enumerate(zip(turn.axes, turn.flips, strict=True)):
        voxel = region.peak[own]
        place[axis] = report.volume.shape[axis] - 1 - voxel if flip else voxel
    sizes = zip(place, report.volume.shape, stack.grey.shape, strict=True)
    return [min(cubes - 1, int((voxel + 0.5) * cubes / cells)) for voxel, cells, cubes in sizes]


def _row(report: VolumeReport, stack: Stack, region: Region, at: int) -> dict[str, Any]:
    unit = "mm" if report.volume.measured else ""
    centre = region.centre
    return {
        "number": at + 1,
        "size": f"{measured(region.size)} {region.unit}",
        "extent": " × ".join(f"{side:.0f}" for side in region.extent) + (f" {unit}" if unit else ""),
        "centre": _coordinates(centre) if centre else "not known",
        "voxel": ", ".join(map(str, region.voxel)),
        "side": region.side or "not known",
        "share": kept(percent(region.share)),
        "mean": f"{measured(region.mean)} {report.volume.unit}".strip(),
    }


def _coordinates(centre: tuple[float, float, float]) -> str:
    """Return a place in the patient, each number with the letter of its side."""
    sides = ("RL", "AP", "SI")
    return ", ".join(f"{pair[value < 0]} {abs(value):.0f}" for value, pair in zip(centre, sides, strict=True))


def _mosaic(values: Float[np.ndarray, "d h w"], quality: int | None) -> str:
    """Return slices side by side in one picture, row after row; without loss where `quality` is None."""
    depth, height, width = values.shape
    columns = ceil(sqrt(depth * height / width))
    rows = ceil(depth / columns)
    sheet_of = np.zeros((rows * columns, height, width), dtype=np.uint8)
    sheet_of[:depth] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    whole = sheet_of.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    image = Image.fromarray(whole)
    return data_uri(webp_exact(image) if quality is None else webp_bytes(image.convert("RGB"), quality), "image/webp")
