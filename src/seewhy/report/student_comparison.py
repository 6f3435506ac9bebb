"""Several students of one network beside it and beside random directions: one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seewhy.contributions.plain import plain
from seewhy.contributions.table import Estimate
from seewhy.data.table import csv_text
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import size_line


@dataclass(frozen=True)
class Compared:
    """A row of the comparison.

    Attributes:
        kind: of the student; "network" is the black box itself.
        title: for people.
        fidelity, accuracy, on_errors: as in `seewhy.surrogates.measure.Report`.
        r2: of the logits.
        size: in words.
        control: fidelity of a model of the same kind and size over random directions; None for the network.
        gap: fidelity minus control; None for the network.
        seconds: to fit it; None for the network.
    """

    kind: str
    title: str
    fidelity: Estimate
    accuracy: Estimate | None
    on_errors: Estimate | None
    r2: float
    size: str
    control: float | None = None
    gap: Estimate | None = None
    seconds: float | None = None


def compared(students: Mapping[str, Student], parameters: int | None = None) -> list[Compared]:
    """Return the network first, then the students, the most faithful first.

    Args:
        students: of one network, measured on the same pictures; at least one.
        parameters: of the network, for its size.
    """
    whole = Estimate(1.0, 1.0, 1.0)
    first = next(iter(students.values())).report
    size = "" if parameters is None else f"{parameters:,} parameters".replace(",", "\u202f")
    network = Compared(
        "network", "the network", whole, first.network, None if first.on_errors is None else whole, 1.0, size
    )
    rows = [_row(student) for student in students.values()]
    return [network, *sorted(rows, key=lambda row: -row.fidelity.value)]


def _row(student: Student) -> Compared:
    report, taken = student.report, student.frontier.points[student.frontier.chosen]
    return Compared(
        student.kind,
        student.surrogate.title,
        report.fidelity,
        report.accuracy,
        report.on_errors,
        report.r2,
        size_line(student.surrogate),
        taken.control,
        taken.gap,
        student.seconds,
    )


def comparison_numbers(rows: list[Compared]) -> dict[str, Any]:
    """Return the comparison as plain values."""
    return {"models": plain(rows)}


def comparison_csv(rows: list[Compared]) -> str:
    """Return the comparison as CSV, a line for each model, values as shares with their intervals."""
    header = ["model"]
    for name in ("fidelity", "accuracy", "same error", "gap to random"):
        header += [name, f"{name} low", f"{name} high"]
    header += ["random", "r2", "size", "seconds"]
    lines = []
    for row in rows:
        cells: list[object] = [row.kind]
        for one in (row.fidelity, row.accuracy, row.on_errors, row.gap):
            cells += ["", "", ""] if one is None else [one.value, one.low, one.high]
        rest = (row.control, None if row.r2 != row.r2 else row.r2, row.size, row.seconds)
        lines.append([*cells, *("" if value is None else value for value in rest)])
    return csv_text(header, lines)
