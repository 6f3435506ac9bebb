"""Students that are sums of curves or of small trees: what each part adds, with its concepts in pictures."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from seewhy.engine.model import Model
from seewhy.render.bar import figures
from seewhy.report.axis import Axis, axis
from seewhy.report.concept_strips import Strips, pictures_of, strips
from seewhy.surrogates.additive import Additive, Curve
from seewhy.surrogates.distilling import Material
from seewhy.surrogates.rules import Rules, moved, said
from seewhy.surrogates.student import Student

MOST_LINES = 3
"""Classes whose curves are drawn: those that a number moves most. More lines could not be told apart."""
STYLES = ("solid", "dashed", "dotted")
MOST_PARTS = 80
"""Curves or trees that the page shows; the rest stands in the text file."""


def additive_block(
    student: Student, surrogate: Additive, material: Material | None, model: Model | None
) -> dict[str, Any]:
    """Return what `sums.html.jinja` uses for an additive model, by name."""
    shown = _strips(student, surrogate.numbers, material, model)
    ends = [float(end) for curve in surrogate.curves for end in (curve.values.min(), curve.values.max())]
    up = axis([0.0, *ends], from_zero=False)
    ordered = sorted(surrogate.curves, key=lambda curve: -float((curve.values.amax(0) - curve.values.amin(0)).max()))
    return {
        "symbols": shown.symbols,
        "curves": [_curve(student, curve, up, shown) for curve in ordered[:MOST_PARTS]],
        "trees": [],
        "left": max(0, len(ordered) - MOST_PARTS),
        "start": moved(surrogate.bias.tolist(), student.learned),
        "noun": student.basis.noun,
        "zero": round(100 - up.percent(0.0), 2),
        "ends": (up.labels[0], up.labels[-1]),
    }


def rules_block(student: Student, surrogate: Rules, material: Material | None, model: Model | None) -> dict[str, Any]:
    """Return what `sums.html.jinja` uses for a sum of small trees, by name."""
    read = {one.number for tree in surrogate.trees for way in tree.paths().values() for one in way}
    shown = _strips(student, read, material, model)
    return {
        "symbols": shown.symbols,
        "curves": [],
        "trees": [_tree(student, number, surrogate, shown) for number in range(min(len(surrogate.trees), MOST_PARTS))],
        "left": max(0, len(surrogate.trees) - MOST_PARTS),
        "start": moved(surrogate.bias.tolist(), student.learned),
        "noun": student.basis.noun,
        "zero": 0.0,
        "ends": ("", ""),
    }


def _strips(student: Student, numbers: Iterable[int], material: Material | None, model: Model | None) -> Strips:
    if material is None or model is None:
        return strips(None, ())
    return strips(pictures_of(student.basis, material.features, model), numbers, material.splits.fit)


def _curve(student: Student, curve: Curve, up: Axis, shown: Strips) -> dict[str, Any]:
    reach = curve.values.amax(dim=0) - curve.values.amin(dim=0)
    order = reach.argsort(descending=True)[:MOST_LINES].tolist()
    low, high = float(curve.knots[0]), float(curve.knots[-1])
    return {
        "name": student.basis.names[curve.number],
        "number": curve.number,
        "strip": curve.number in shown.numbers,
        "from": figures(low),
        "to": figures(high),
        "lines": [
            {
                "name": student.learned[index],
                "style": style,
                "points": _points(curve.knots, curve.values[:, index], up),
                "text": f"{float(curve.values[0, index]):+.2f} to {float(curve.values[-1, index]):+.2f}",
            }
            for index, style in zip(order, STYLES, strict=False)
        ],
    }


def _points(knots: Tensor, values: Tensor, up: Axis) -> str:
    low, reach = float(knots[0]), max(float(knots[-1] - knots[0]), 1e-12)
    return " ".join(
        f"{1000 * (float(knot) - low) / reach:.1f},{1000 - 10 * up.percent(float(value)):.1f}"
        for knot, value in zip(knots, values, strict=True)
    )


def _tree(student: Student, number: int, surrogate: Rules, shown: Strips) -> dict[str, Any]:
    tree, names = surrogate.trees[number], student.basis.names
    paths = tree.paths()
    read = list(dict.fromkeys(one.number for way in paths.values() for one in way))
    return {
        "title": f"rules {number + 1}",
        "concepts": [{"number": one, "name": names[one], "strip": one in shown.numbers} for one in read],
        "rules": [
            (said(way, names) or "always", moved(tree.values[node].tolist(), student.learned))
            for node, way in paths.items()
        ],
    }
