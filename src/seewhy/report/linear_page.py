"""A sparse linear student: each class as a sum of a few weights, each weight with its concept in pictures."""

from typing import Any

from torch import Tensor

from seewhy.engine.model import Model
from seewhy.report.axis import Axis, axis
from seewhy.report.concept_strips import Strips, pictures_of, strips
from seewhy.surrogates.distilling import Material
from seewhy.surrogates.linear import Linear
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import share

MOST_CLASSES = 60
"""Classes that the page draws; the rest stands in the text file."""
MOST_CONCEPTS = 120
"""Concepts of which pictures are shown, those with the largest weights."""
MOST_WEIGHTS = 10
"""Weights of a class that are drawn at once."""


def linear_block(student: Student, surrogate: Linear, material: Material | None, model: Model | None) -> dict[str, Any]:
    """Return what `linear.html.jinja` uses, by name."""
    weights = surrogate.weights
    shown = _strips(student, weights, material, model)
    scale = axis([0.0, float(weights.min()), float(weights.max())], from_zero=False)
    classes = [_class(student, surrogate, row, scale, shown) for row in range(min(len(student.classes), MOST_CLASSES))]
    return {
        "symbols": shown.symbols,
        "classes": classes,
        "classes_left": len(student.classes) - len(classes),
        "zero": scale.percent(0.0),
        "noun": student.basis.noun,
        "concepts": _concepts(student, weights, shown),
    }


def _strips(student: Student, weights: Tensor, material: Material | None, model: Model | None) -> Strips:
    if material is None or model is None:
        return strips(None, ())
    largest = weights.abs().amax(dim=0)
    order = largest.argsort(descending=True)[:MOST_CONCEPTS]
    used = [number for number in order.tolist() if largest[number] > 0]
    return strips(pictures_of(student.basis, material.features, model), used, material.splits.fit)


def _class(student: Student, surrogate: Linear, row: int, scale: Axis, shown: Strips) -> dict[str, Any]:
    weights, name = surrogate.weights[row], student.learned[row]
    order = [number for number in weights.abs().argsort(descending=True).tolist() if weights[number] != 0]
    recall = student.report.recall.get(name)
    terms = [_signed_row(float(weights[number]), student.basis.names[number], number, scale, shown) for number in order]
    return {
        "name": name,
        "recall": "" if recall is None else f"agrees on {share(recall)} of these",
        "bias": f"{float(surrogate.bias[row]):+.2f}",
        "rows": terms[:MOST_WEIGHTS],
        "more": terms[MOST_WEIGHTS:],
    }


def _signed_row(value: float, name: str, number: int, scale: Axis, shown: Strips) -> dict[str, Any]:
    """Return a value as a signed bar, with the name and the strip of what it belongs to."""
    zero, end = scale.percent(0.0), scale.percent(value)
    return {
        "value": f"{value:+.2f}",
        "name": name,
        "number": number,
        "side": "pos" if value >= 0 else "neg",
        "left": min(zero, end),
        "width": round(abs(end - zero), 2),
        "strip": number in shown.numbers,
    }


def _concepts(student: Student, weights: Tensor, shown: Strips) -> list[dict[str, Any]]:
    """Return each concept that is read, those with the largest weights first: its name, its strip, and for which classes it speaks."""
    largest = weights.abs().amax(dim=0)
    order = [number for number in largest.argsort(descending=True).tolist() if largest[number] > 0][:MOST_CONCEPTS]
    return [
        {
            "number": number,
            "name": student.basis.names[number],
            "strip": number in shown.numbers,
            "pro": _about(student, weights[:, number], 1.0),
            "con": _about(student, weights[:, number], -1.0),
        }
        for number in order
    ]


def _about(student: Student, column: Tensor, sign: float) -> str:
    """Return the classes that a concept speaks for, or against, the strongest first."""
    order = [row for row in (sign * column).argsort(descending=True).tolist() if sign * column[row] > 0]
    named = [f"{student.learned[row]} {float(column[row]):+.2f}" for row in order[:6]]
    return ", ".join(named) + (f" and {len(order) - 6} more" if len(order) > 6 else "")
