"""Several students of one network as one HTML file: black box, students, random control."""

from collections.abc import Mapping
from typing import Any

from seewhy.render.bar import figures
from seewhy.report import student_words as words
from seewhy.report.axis import Axis, axis
from seewhy.report.sheet import kept, sheet
from seewhy.report.student_comparison import Compared, compared, comparison_numbers
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import listed, points, share, span, the


def comparison_page(
    students: Mapping[str, Student],
    links: Mapping[str, str],
    *,
    name: str = "",
    parameters: int | None = None,
    command: str = "",
    broken: Mapping[str, str] | None = None,
) -> str:
    """Return the page.

    Args:
        students: of one network, by kind.
        links: name of the page of each, by kind.
        name: of the data.
        parameters: of the network, for its size.
        command: makes the page again.
        broken: pictures that could not be read.
    """
    rows = compared(students, parameters)
    first = next(iter(students.values()))
    ends = [end for row in rows for end in (row.fidelity.low, row.control, 1.0) if end is not None]
    scale = axis(ends, from_zero=False)
    network = str(first.about.get("model", "")) or "The network"
    return sheet(
        "comparison",
        title=f"{network} beside models that people can read",
        subtitles=(_subtitle(first, name),),
        content={
            "lines": [kept(line) for line in lines(rows)],
            "rows": [_row(row, scale, links) for row in rows],
            "ends": (share(scale.ticks[0]), share(min(1.0, scale.ticks[-1]))),
            "labelled": first.report.accuracy is not None,
            "reading": reading(first),
            "broken": dict(broken or {}),
        },
        numbers=comparison_numbers(rows),
        cautions=[kept(line) for line in words.shared_cautions(first)],
        creed=(words.CREED,),
        command=command,
        provenance=first.about,
        base="student",
    )


def lines(rows: list[Compared]) -> list[str]:
    """Return what the comparison says, in sentences."""
    network, best = rows[0], rows[1]
    made = [
        f"The most faithful is {the(best.title)}: on {share(best.fidelity.value)} of the pictures it says what the network says ({best.size})."
    ]
    if network.accuracy is not None and best.accuracy is not None:
        right = max(rows[1:], key=lambda row: row.accuracy.value if row.accuracy else 0.0)
        if right.accuracy is not None:
            made.append(
                f"The network is right on {share(network.accuracy.value)}; of the readable models, most often right: {the(right.title)}, on {share(right.accuracy.value)}."
            )
    losing = [row.title for row in rows[1:] if row.gap is not None and row.gap.low <= 0]
    if losing:
        made.append(f"Not shown to beat random directions at the size that was chosen: {listed(losing)}.")
    else:
        made.append("Each beats models of the same kind and size over random directions.")
    return made


def _subtitle(student: Student, name: str) -> str:
    teacher = "taught by the network" if student.by == "network" else "taught by the labels"
    reads = f"all read {student.basis.told}"
    return ", ".join(filter(None, (name, teacher, reads, f"measured on {student.report.pictures} pictures")))


def _row(row: Compared, scale: Axis, links: Mapping[str, str]) -> dict[str, Any]:
    low, high = scale.percent(row.fidelity.low), scale.percent(row.fidelity.high)
    return {
        "kind": row.kind,
        "title": row.title,
        "link": links.get(row.kind, ""),
        "dot": scale.percent(row.fidelity.value),
        "low": low,
        "span": round(high - low, 2),
        "ring": None if row.control is None else scale.percent(row.control),
        "fidelity": kept(share(row.fidelity.value)),
        "interval": "" if row.kind == "network" else kept(span(row.fidelity)),
        "accuracy": "" if row.accuracy is None else kept(share(row.accuracy.value)),
        "errors": "" if row.on_errors is None else kept(share(row.on_errors.value)),
        "r2": "" if row.r2 != row.r2 else f"{row.r2:.2f}",
        "size": row.size,
        "gap": "" if row.gap is None else points(row.gap.value).replace(" ", "\u00a0"),
        "gap_interval": "" if row.gap is None else f"{100 * row.gap.low:+.1f} to {100 * row.gap.high:+.1f}",
        "sure": row.gap is None or row.gap.low > 0,
        "seconds": "" if row.seconds is None else f"{figures(round(row.seconds, 2))}\u00a0s",
    }


def reading(student: Student) -> list[tuple[str, str]]:
    """Return how to read the comparison."""
    first = [
        pair for pair in words.reading(student) if pair[0] in ("student", student.basis.noun, "fidelity", "three parts")
    ]
    return [
        *first,
        (
            "same error",
            "Of the pictures on which the network is wrong, the share on which the model makes the same error.",
        ),
        (
            "over random",
            "Fidelity minus that of a model of the same kind and size that reads as many directions drawn at random; hollow rings in the chart.",
        ),
        (
            "R²",
            "Share of the variance of the network's logits that the model's scores explain, up to one factor; below zero it does worse than none.",
        ),
    ]
