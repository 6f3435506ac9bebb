"""Everything about the objects of one photo: each with its map, where its evidence lies, and how often it vanished."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from seewhy.core.cost import Cost
from seewhy.core.explanation import Explanation
from seewhy.core.method import Method
from seewhy.evaluation.object_evidence import Evidence, Shares
from seewhy.evaluation.objects import Thing


@dataclass(frozen=True, eq=False)
class ObjectFinding:
    """One object of a photo, explained.

    Attributes:
        thing: what it is.
        score: value of the target on the photo itself, in `unit`.
        unit: of the score.
        heatmap: (h, w) on the drawn photo; NaN where the network saw nothing.
        evidence: where the evidence lies.
        lost: share of the changed images in which it was not found; None where no image was changed.
        notes: what a reader must know of this map.
        figures: what the method says about its own estimate.
    """

    thing: Thing
    score: float
    unit: str
    heatmap: Float[np.ndarray, "h w"]
    evidence: Evidence
    lost: float | None
    notes: tuple[str, ...]
    figures: dict[str, float]

    @property
    def title(self) -> str:
        """Number, class and score: "0 face 0.99"."""
        if self.thing.status == "missed":
            return f"{self.thing.label}: {self.thing.name}"
        return f"{self.thing.label} {self.thing.name} {self.thing.score:.2f}"


@dataclass(frozen=True, eq=False)
class FoundObjects:
    """The objects of one photo: what was found, and where a ground truth is given what was missed.

    Attributes:
        name: of the photo.
        photo: as it is drawn.
        size: (w, h) of the photo itself.
        model: title of the model.
        method: that made the maps.
        objects: the found ones, the surest first, then the missed ones.
        limits: end of the colour scale, of maps of found and of missed objects.
        map_unit: unit of the maps.
        scale_words: what the end of the scale is.
        notes: what a reader must know.
        cost: of all maps together.
        maps: the maps themselves, to be saved.
        command: makes the report again.
        provenance: what made it.
    """

    name: str
    photo: Image.Image
    size: tuple[int, int]
    model: str
    method: Method
    objects: tuple[ObjectFinding, ...]
    limits: dict[bool, float]
    map_unit: str
    scale_words: str
    notes: tuple[str, ...]
    cost: Cost
    maps: Explanation
    command: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)

    def limit(self, one: ObjectFinding) -> float:
        """Return the end of the colour scale for the map of an object: one for all that were found, one for all that were missed."""
        return self.limits[one.thing.status == "missed"]

    def numbers(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON; boxes are in pixels of the photo."""
        return {
            "photo": self.name,
            "size": {"width": self.size[0], "height": self.size[1]},
            "model": self.model,
            "method": self.method.key,
            "settings": self.method.settings(),
            "unit": self.map_unit,
            "objects": [_plain(one) for one in self.objects],
            "scale": {"found": self.limits[False], "missed": self.limits[True], "ends at": self.scale_words},
            "cost": self.cost.as_dict(),
            "notes": list(self.notes),
            "provenance": self.provenance,
        }


def _plain(one: ObjectFinding) -> dict[str, Any]:
    thing, evidence = one.thing, one.evidence
    return {
        "id": thing.label,
        "status": thing.status,
        "class": thing.name,
        "score": None if thing.status == "missed" else thing.score,
        "box": [round(value, 2) for value in thing.box],
        "overlap with truth": thing.overlap,
        "true box": None if thing.truth is None else [round(value, 2) for value in thing.truth.box],
        "target": {"value": one.score, "unit": one.unit},
        "evidence for": _shares(evidence.for_it),
        "evidence against": None if evidence.against is None else _shares(evidence.against),
        "even map": _shares(evidence.chance),
        "strongest in box": evidence.hit,
        "evidence in truth": _number(evidence.in_truth),
        "even map in truth": _number(evidence.chance_in_truth),
        "strongest in truth": evidence.hit_truth,
        "not found in share of changed images": one.lost,
        "figures": {name: _number(value) for name, value in one.figures.items()},
        "notes": list(one.notes),
    }


def _shares(shares: Shares) -> dict[str, float | None]:
    return {"inside": _number(shares.inside), "ring": _number(shares.ring), "outside": _number(shares.outside)}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
