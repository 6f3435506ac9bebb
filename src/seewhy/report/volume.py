"""Everything that is said about one scan, as plain values: the page, the picture, the JSON and the terminal show the same."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from seewhy.core.volume import Volume
from seewhy.evaluation.scan_regions import Regions
from seewhy.render.bar import percent
from seewhy.render.planes import Stack, three_planes
from seewhy.report.clip import TopClass
from seewhy.report.document import Document
from seewhy.report.numbers import hide_test, plain
from seewhy.report.photo import HideTest
from seewhy.report.volume_stack import stack_of
from seewhy.report.words import hide_line

FORMAT = "seewhy-scan-1"
"""Name and version of the layout; a change that breaks readers raises the number."""

CREED = "A heatmap shows where the network looked. It is no segmentation and no measurement of what is there, and no basis for a diagnosis."


@dataclass(frozen=True, eq=False)
class VolumeReport(Document):
    """One scan, one network, one method: the answer with its map in the patient, and how far to trust it.

    Attributes:
        name: file name, for people (untrusted text: escape it).
        volume: the scan, in the orientation in which scans are shown.
        heatmap: the map on the same voxels; NaN where the network saw nothing.
        area: the regions on the same voxels.
        regions: what is known of them.
        model: the network in words; method, layer: how the map was made; source: the paper.
        answer: what was asked; score: its value, in `score_unit`; probability: None where it is no class.
        top: the likeliest classes; empty where the answer is no class.
        signed, unit, limit, normalization: of the map and its scale.
        shapes: cells of the raw map (d, h, w); seen: shape of the network's input.
        source_shape: of the file's own array; directions: to which sides its axes go.
        hide_test: None where it was not run.
        concentration: share of the evidence in the strongest fifth; None if there is none.
        figures, covered, cost, cautions, command, provenance: as in `PhotoReport`.
    """

    noun = "a scan's report"

    name: str
    volume: Volume
    heatmap: Float[np.ndarray, "d h w"]
    area: Bool[np.ndarray, "d h w"]
    regions: Regions
    model: str
    method: str
    layer: str
    source: str
    answer: str
    score: float
    score_unit: str
    probability: float | None
    top: tuple[TopClass, ...]
    signed: bool
    unit: str
    limit: float
    normalization: str
    shapes: tuple[int, ...]
    seen: tuple[int, ...]
    source_shape: tuple[int, ...]
    directions: str
    hide_test: HideTest | None
    concentration: float | None
    figures: dict[str, float] = field(default_factory=dict)
    covered: str = ""
    cost: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    command: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)

    def page(self) -> str:
        """Return all of it as one HTML file, under three million bytes."""
        from seewhy.report.volume_page import volume_page

        return volume_page(self)

    def stack(self, longest: int = 256) -> Stack:
        """Return scan, map and regions on cubes, at most so many along the longest side."""
        return stack_of(self.volume, self.heatmap, self.area, longest)

    def picture(self) -> Image.Image:
        """Draw the three planes through the map's peak."""
        notes = (region_line(self), hide_line(self.hide_test) if self.hide_test else "hide test: not run", CREED)
        return three_planes(
            self.stack(),
            signed=self.signed,
            limit=self.limit,
            title=f"why {self.answer}?   {self.name}",
            unit=self.unit,
            normalization=self.normalization,
            notes=notes,
        )

    def numbers(self) -> dict[str, Any]:
        """Return the report without its pictures as plain values, ready for JSON."""
        volume = self.volume
        found: dict[str, Any] = plain(
            {
                "format": FORMAT,
                "scan": {
                    "name": self.name,
                    "kind": volume.kind,
                    "unit": volume.unit,
                    "shape": self.source_shape,
                    "directions": self.directions if volume.oriented else None,
                    "spacing_mm": _in_order(self) if volume.measured else None,
                    "window": asdict(volume.shown),
                },
                "network": self.model,
                "input": self.seen,
                "method": self.method,
                "layer": self.layer,
                "source": self.source,
                "map": {
                    "shape": self.shapes,
                    "signed": self.signed,
                    "unit": self.unit,
                    "limit": self.limit,
                    "normalization": self.normalization,
                },
                "answer": self.answer,
                "score": self.score,
                "score_unit": self.score_unit,
                "probability": self.probability,
                "top": [asdict(one) for one in self.top],
                "level": self.regions.level,
                "regions": [region_numbers(self.regions, at) for at in range(len(self.regions.rows))],
                "concentration": self.concentration,
                "hide_test": hide_test(self.hide_test) if self.hide_test else None,
                "figures": self.figures,
                "coverage": self.covered,
                "cost": self.cost,
                "cautions": self.cautions,
                "command": self.command,
                "provenance": self.provenance,
            }
        )
        return found


def _in_order(report: VolumeReport) -> list[float]:
    """Return the spacing in the order of the file's own axes."""
    axes = report.volume.turn(report.directions).axes
    return [report.volume.spacing[axis] for axis in axes]


def region_numbers(regions: Regions, at: int) -> dict[str, Any]:
    """Return one region as plain values."""
    return {"region": at + 1} | asdict(regions.rows[at])


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
