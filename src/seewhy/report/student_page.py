"""A student as one HTML file: the model itself, what it is worth, what each more of reading buys, and the random control."""

from typing import Any

from markupsafe import Markup

from seewhy.contributions.plain import plain
from seewhy.engine.model import Model
from seewhy.report import student_words as words
from seewhy.report.linear_page import linear_block
from seewhy.report.prototypes_page import prototypes_block
from seewhy.report.sheet import kept, sheet
from seewhy.report.student_chart import frontier_chart
from seewhy.report.sums_page import additive_block, rules_block
from seewhy.report.tree_page import tree_block
from seewhy.surrogates.additive import Additive
from seewhy.surrogates.branching import Branching
from seewhy.surrogates.distilling import Material
from seewhy.surrogates.linear import Linear
from seewhy.surrogates.prototypes import Prototypes
from seewhy.surrogates.rules import Rules
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import share

MOST_CLASSES = 60
"""Classes whose recall the page shows; the rest stands in the file of numbers."""


def student_page(
    student: Student,
    material: Material | None = None,
    model: Model | None = None,
    *,
    name: str = "",
    command: str = "",
) -> str:
    """Return the page.

    Args:
        student: shown.
        material: what the student was made from; without it there are no pictures.
        model: the network, which says how pictures are prepared.
        name: of the data.
        command: makes the page again.
    """
    template, block = _block(student, material, model)
    return sheet(
        template,
        title=student.heading,
        subtitles=_subtitles(student, name),
        content=common(student, material) | block,
        numbers=student_numbers(student),
        cautions=[kept(line) for line in words.cautions(student)],
        creed=(words.CREED,),
        command=command,
        provenance=student.about,
        base="" if template == "student" else "student",
    )


def _block(student: Student, material: Material | None, model: Model | None) -> tuple[str, dict[str, Any]]:
    """Return the template that shows this kind of model, which extends `student.html.jinja` and fills its block `model`, and what that uses."""
    if isinstance(student.surrogate, Linear):
        return "linear", linear_block(student, student.surrogate, material, model)
    if isinstance(student.surrogate, Branching) and material is not None and model is not None:
        return "tree", tree_block(student, student.surrogate, material, model)
    if isinstance(student.surrogate, Additive):
        return "sums", additive_block(student, student.surrogate, material, model)
    if isinstance(student.surrogate, Rules):
        return "sums", rules_block(student, student.surrogate, material, model)
    if isinstance(student.surrogate, Prototypes) and material is not None and model is not None:
        block = prototypes_block(student, student.surrogate, material, model)
        return ("student", {}) if block is None else ("prototypes", block)
    return "student", {}


def student_numbers(student: Student) -> dict[str, Any]:
    """Return what a student is worth as plain values."""
    return {
        "kind": student.kind,
        "teacher": student.by,
        "reads": student.basis.kind,
        "layer": student.basis.layer,
        "classes": list(student.learned),
        "sizes": dict(student.surrogate.sizes),
        "report": plain(student.report),
        "frontier": plain(student.frontier),
        "seconds": student.seconds,
    }


def common(student: Student, material: Material | None = None) -> dict[str, Any]:
    """Return what `student.html.jinja` uses, by name."""
    outcome, told = student.verdict()
    recall = sorted(student.report.recall.items(), key=lambda item: item[1])
    return {
        "student": student,
        "lines": [kept(line) for line in student.lines()],
        "outcome": outcome,
        "verdict": kept(told),
        "symbols": Markup(),
        "text": student.text(),
        "chart": frontier_chart(student.frontier),
        "nouns": f"{student.basis.noun}s",
        "control": student.basis.control_noun,
        "area": kept(words.area_line(student.frontier, student.basis.control_noun)),
        "chosen": words.chosen_line(student),
        "table": [tuple(map(kept, row)) for row in words.table(student)],
        "recall": [_recall(name, value, student) for name, value in recall[:MOST_CLASSES]],
        "recall_left": max(0, len(recall) - MOST_CLASSES),
        "reading": words.reading(student),
        "made": _made(student, material),
        "broken": {} if material is None else dict(material.features.data.broken),
    }


def _subtitles(student: Student, name: str) -> tuple[str, ...]:
    teacher = "taught by the network" if student.by == "network" else "taught by the labels"
    reads = f"reads {student.basis.told}"
    return (", ".join(filter(None, (name, teacher, reads))),)


def _recall(name: str, value: float, student: Student) -> dict[str, Any]:
    learned = name in student.learned
    return {
        "name": name,
        "percent": round(100 * value, 1),
        "text": kept(share(value)) if learned else "not learned",
    }


def _made(student: Student, material: Material | None) -> list[tuple[str, str]]:
    """Return how many pictures served for what, and who taught."""
    rows = [("teacher", "the network's answers" if student.by == "network" else "the labels of the pictures")]
    if material is not None:
        parts = material.splits
        rows.append(
            (
                "pictures",
                f"{len(parts.fit)} to fit on, {len(parts.choose)} to choose the size, {len(parts.report)} to report on; none in two of them",
            )
        )
    rows.append(("classes learned", f"{len(student.classes)} of {len(student.labels)}"))
    rows.append(
        ("fitted in", f"{student.seconds:.2g} s, all {len(student.frontier.points)} sizes, without the control")
    )
    return rows
