"""The effect of each unit on the pictures of each class: what of it is shown, and in which colour."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seewhy.contributions.table import Importance
from seewhy.render.bar import figures

MOST_UNITS = 30
MOST_CLASSES = 20


@dataclass(frozen=True, eq=False)
class PerClass:
    """What of a table of units by classes is shown.

    Attributes:
        units, classes: names of rows and columns.
        values: mean fall of the score (m, k); NaN where a class has no such number.
        limit: the magnitude at the end of the colours.
        left: what is left out, in words; empty if nothing.
    """

    units: tuple[str, ...]
    classes: tuple[str, ...]
    values: Float[np.ndarray, "m k"]
    limit: float
    left: str

    @property
    def texts(self) -> list[list[str]]:
        """The numbers as text; empty where there is none."""
        return [["" if np.isnan(value) else figures(float(f"{value:.2g}")) for value in row] for row in self.values]

    @property
    def shares(self) -> list[list[float]]:
        """How strong the colour of each cell is, from -1 to 1."""
        shares: list[list[float]] = np.clip(np.nan_to_num(self.values) / (self.limit or 1.0), -1, 1).round(3).tolist()
        return shares


def per_class(found: Importance) -> PerClass | None:
    """Return the table; None where there are fewer than two classes."""
    classes = list(dict.fromkeys(name for weight in found.weights for name in weight.classes))
    if len(classes) < 2 or not found.weights:
        return None
    shown = found.weights[:MOST_UNITS]
    whole = np.array(
        [[weight.classes[name].value if name in weight.classes else np.nan for name in classes] for weight in shown]
    )
    strength = np.nan_to_num(np.abs(whole)).max(axis=0)
    order = sorted(np.argsort(-strength, kind="stable")[:MOST_CLASSES].tolist())
    values = whole[:, order]
    limit = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    names = tuple(classes[place] for place in order)
    return PerClass(
        tuple(weight.unit for weight in shown), names, values, limit, _left(found, len(shown), len(classes))
    )


def _left(found: Importance, units: int, classes: int) -> str:
    parts = []
    if units < len(found.weights):
        parts.append(f"the first {units} of {len(found.weights)} units")
    if classes > MOST_CLASSES:
        parts.append(f"the {MOST_CLASSES} of {classes} classes in which they do most")
    return f"Shown are {' and '.join(parts)}; the others stand in the files of numbers." if parts else ""
