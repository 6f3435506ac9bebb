"""What a readable model loses: every student of two networks, beside the same students made of random directions.

    SEEWHY_DATA=folder python -m benchmarks.students           # CIFAR-10 with ResNet-20, and digits; about five minutes
    python -m benchmarks.students --data digits                # twenty seconds, without the folder

The features are the network's own, frozen. Half of the pictures make concepts and students, a fifth chooses the size, and all that is
printed is measured on the rest. Seconds are those of fitting a student of all sizes, on one thread.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import torch
from examples.distill_digits import LEARNED, digits, trained

import seewhy
from benchmarks.cifar import pictures, resnet20
from benchmarks.table import markdown
from seewhy.api.distilling import ALL, Distillation, distillation
from seewhy.contributions.table import Estimate
from seewhy.data.features import features
from seewhy.surrogates.distilling import Course
from seewhy.surrogates.frontier import Point
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import counted

THREE = 3.0
"""Non-zeros per class at which concepts show what they are worth."""


def of_digits(course: Course) -> Distillation:
    """Return the students of a small network that has learned a third of scikit-learn's digits."""
    shown, labels = digits()
    network = trained(shown[:LEARNED], labels[:LEARNED])
    model = seewhy.Model(network, size=8, mean=0, std=1, channels="grey", name="digits")
    session = seewhy.Session(model)
    return distillation(session, features(session, (shown[LEARNED:], labels[LEARNED:])), ALL, course=course)


def of_cifar(course: Course) -> Distillation:
    """Return the students of ResNet-20, from the 10,000 test pictures of CIFAR-10."""
    session = seewhy.Session(resnet20())
    with tempfile.TemporaryDirectory() as folder:
        return distillation(session, features(session, pictures(Path(folder)), "layer3"), ALL, course=course)


DATA = {"cifar10": of_cifar, "digits": of_digits}


def table(made: Distillation) -> str:
    """Return one line for the network and one for each student."""
    students = list(made.students.values())
    own = students[0].report.network
    head = ["", "fidelity", "accuracy", "same error", "R² of logits", "size", "random control", "gain", "seconds"]
    black_box = ["the network itself", "1", percent(own.value) if own else "", "1", "1", "", "", "", ""]
    return markdown(head, [black_box, *(row(student) for student in students)])


def row(student: Student) -> list[str]:
    """Return the figures of one student on the pictures of the report."""
    report, point = student.report, student.frontier.points[student.frontier.chosen]
    sizes = ", ".join(counted(value, name) for name, value in student.surrogate.sizes.items())
    return [
        student.surrogate.title,
        spanned(report.fidelity),
        percent(report.accuracy.value) if report.accuracy else "",
        percent(report.on_errors.value) if report.on_errors else "",
        f"{report.r2:.2f}",
        sizes,
        percent(point.control),
        spanned(point.gap, signed=True),
        f"{student.seconds:.1f}",
    ]


def frontier(student: Student) -> str:
    """Return fidelity against size for one student, and what random directions give."""
    head = [student.frontier.unit, "fidelity", "accuracy", "random control", "gain"]
    rows = [point_row(point) for point in student.frontier.points]
    area = student.frontier.area
    return f"{markdown(head, rows)}\n\nMean gain over the sizes: {spanned(area, signed=True)}."


def point_row(point: Point) -> list[str]:
    accuracy = "" if point.accuracy is None else percent(point.accuracy)
    gain = spanned(point.gap, signed=True)
    return [f"{point.size:.3g}", percent(point.fidelity), accuracy, percent(point.control), gain]


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def spanned(estimate: Estimate, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    value, low, high = (100 * one for one in (estimate.value, estimate.low, estimate.high))
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def at_three(student: Student) -> str:
    """Return in words what concepts gain over random directions at three non-zeros per class."""
    point = next(point for point in student.frontier.points if point.size >= THREE)
    verdict = "beat" if point.gap.low > 0 else "do not clearly beat"
    return (
        f"At {point.size:.3g} non-zeros per class, concepts {verdict} random directions: {percent(point.fidelity)} against "
        f"{percent(point.control)}, {spanned(point.gap, signed=True)} points."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.students", description=__doc__)
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA), help="which network and pictures")
    parser.add_argument("--teacher", choices=["network", "labels"], default="network", help="who teaches")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.data:
        made = DATA[name](dataclasses.replace(Course(), by=asked.teacher, seed=asked.seed))
        splits = made.material.splits
        print(f"## {name}: {made.session.model.title}\n")
        print(f"{len(splits.fit)} pictures to fit, {len(splits.choose)} to choose, {len(splits.report)} to report.\n")
        print(table(made))
        if linear := made.students.get("linear"):
            print(f"\n{at_three(linear)}\n\n{frontier(linear)}\n")


if __name__ == "__main__":
    main()
