"""Everything that is said about one scan, as plain values: the page, the picture, the JSON and the terminal show the same."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from seewhy.core.volume import Volume
from seewhy.evaluation.scan_regions import Regions
from seewhy.report.photo import HideTest, TopClass
from seewhy.report.volume_stack import Cubes, cubes_of

FINEST = 256
"""Cubes along the longest side of what is drawn, at most."""

CREED = "A heatmap shows where the network looked. It is no segmentation and no measurement of what is there, and no basis for a diagnosis."


@dataclass(frozen=True, eq=False)
class VolumeReport:
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

    @cached_property
    def cubes(self) -> Cubes:
        """Scan, map and regions on cubes for looking, at most `FINEST` along the longest side; made once for picture and page."""
        return cubes_of(self.volume, self.heatmap, self.area, FINEST)
