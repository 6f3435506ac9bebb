"""Distill: fit readable models of growing size, choose one, and say what it is worth beside random directions."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seewhy.contributions.estimate import estimates
from seewhy.data.features import Features
from seewhy.surrogates.basis import Basis
from seewhy.surrogates.example import examples_of
from seewhy.surrogates.frontier import POINTS, Frontier, Point, at_size, smallest_within
from seewhy.surrogates.lesson import By, Lesson, Splits
from seewhy.surrogates.measure import fidelity, predictions, report
from seewhy.surrogates.student import Student
from seewhy.surrogates.surrogate import Surrogate

DRAWS = 3
"""Of random directions, whose mean is the control."""


@dataclass(frozen=True)
class Course:
    """How students are made.

    Args:
        by: who teaches: the network, or the labels.
        points: percentage points of fidelity that may be given up for a smaller model.
        draws: of random directions for the control.
        seed: of everything that is drawn.
    """

    by: By = "network"
    points: float = POINTS
    draws: int = DRAWS
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Material:
    """What students are made from.

    Attributes:
        features: of all pictures.
        basis: what students read, fitted on the pictures to fit on only.
        splits: of the pictures.
        names: of all classes of the network.
    """

    features: Features
    basis: Basis
    splits: Splits
    names: tuple[str, ...]

    def lesson(self, by: By, basis: Basis | None = None) -> Lesson:
        """Return the lesson of all pictures, read through the basis or another one."""
        read = (basis or self.basis).read(self.features)
        return Lesson.of(read, self.features, self.splits.fit, by)


def distilled(kind: type[Surrogate], material: Material, course: Course | None = None) -> Student:
    """Return a student of one kind."""
    course, splits = course or Course(), material.splits
    lesson = material.lesson(course.by)
    begun = time.perf_counter()
    models = _path(kind, lesson, splits, course)
    seconds = time.perf_counter() - begun
    frontier = _frontier(models, lesson, splits, _controls(kind, material, course), course)
    last = lesson.part(splits.report)
    chosen = models[frontier.chosen]
    return Student(
        chosen,
        material.basis,
        lesson.classes,
        material.names,
        course.by,
        report(chosen.scores(last.x), last, material.names, course.seed),
        frontier,
        material.features.fingerprint,
        seconds,
        examples=examples_of(material.features.data, chosen.examples),
    )


def _path(kind: type[Surrogate], lesson: Lesson, splits: Splits, course: Course) -> list[Surrogate]:
    return sorted(kind.path(lesson.part(splits.fit).learnable(), course.seed), key=lambda model: model.size)


def _goal(model: Surrogate, lesson: Lesson) -> float:
    """Return what the size is chosen by: agreement with the teacher."""
    said = predictions(model.scores(lesson.x), lesson.classes)
    return float((said == lesson.taught).float().mean())


def _controls(kind: type[Surrogate], material: Material, course: Course) -> list[tuple[Lesson, list[Surrogate]]]:
    """Return models of all sizes over each draw of random directions, and the report's pictures as these see them."""
    made = []
    for draw in range(course.draws):
        lesson = material.lesson(course.by, material.basis.control(material.features, course.seed + 1 + draw))
        made.append((lesson.part(material.splits.report), _path(kind, lesson, material.splits, course)))
    return made


def _frontier(
    models: Sequence[Surrogate],
    lesson: Lesson,
    splits: Splits,
    controls: Sequence[tuple[Lesson, list[Surrogate]]],
    course: Course,
) -> Frontier:
    choose, last = lesson.part(splits.choose), lesson.part(splits.report)
    own = torch.stack([_agrees(model, last) for model in models], dim=1)  # (n, sizes)
    random = torch.stack([_control_agrees(controls, model.size) for model in models], dim=1)
    gaps = estimates(own - random, course.seed)
    (area,) = estimates((own - random).mean(dim=1, keepdim=True), course.seed)
    labelled = bool((last.labels >= 0).all())
    points = tuple(
        Point(
            model.size,
            fidelity(model.scores(choose.x), choose),
            float(own[:, number].mean()),
            _accuracy(model, last) if labelled else None,
            float(random[:, number].mean()),
            gaps[number],
        )
        for number, model in enumerate(models)
    )
    chosen = smallest_within([_goal(model, choose) for model in models], course.points)
    return Frontier(models[0].unit, points, chosen, area, course.draws)


def _agrees(model: Surrogate, lesson: Lesson) -> Float[Tensor, " n"]:
    return (predictions(model.scores(lesson.x), lesson.classes) == lesson.predicted).double()


def _control_agrees(controls: Sequence[tuple[Lesson, list[Surrogate]]], size: float) -> Float[Tensor, " n"]:
    return torch.stack([_agrees(at_size(models, size), lesson) for lesson, models in controls]).mean(dim=0)


def _accuracy(model: Surrogate, lesson: Lesson) -> float:
    return float((predictions(model.scores(lesson.x), lesson.classes) == lesson.labels).double().mean())
