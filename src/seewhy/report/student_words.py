"""What a student is worth, in words: how nearly it says what the network says, what it costs, what must be read first."""

from seewhy.render.bar import figures
from seewhy.surrogates.frontier import Frontier
from seewhy.surrogates.student import Student
from seewhy.surrogates.words import counted, listed, points, share, span

FEW = 100
"""Pictures of the report below which every figure is rough."""
CREED = (
    "A student says what the network says, as far as the figures above go; it does not do what the network does. "
    "Another student of the same fidelity may read other concepts."
)


def area_line(frontier: Frontier, control: str) -> str:
    """Return the mean gap to the control over all sizes."""
    one = frontier.area
    return (
        f"Over all sizes the gap to {control} is {points(one.value)} on average (95 % interval {100 * one.low:+.1f} to {100 * one.high:+.1f}); "
        f"the control is the mean of {frontier.draws} draws."
    )


def chosen_line(student: Student) -> str:
    """Return why this size was chosen."""
    frontier = student.frontier
    taken, best = frontier.points[frontier.chosen], max(frontier.points, key=lambda point: point.choose)
    if taken == best:
        return f"{counted(taken.size, frontier.unit)}: no other size does better on the pictures that the size was chosen on."
    given = student.about.get("points")
    within = f"at most {figures(float(given))} points" if isinstance(given, (int, float)) else "a little"
    return (
        f"{counted(taken.size, frontier.unit)}: the smallest that gives up {within} against the best "
        f"({counted(best.size, frontier.unit)}), on the pictures that the size was chosen on."
    )


def cautions(student: Student) -> list[str]:
    """Return what must be read first."""
    outcome, told = student.verdict()
    made = [told] if outcome != "passes" else []
    area = student.frontier.area
    if outcome == "passes" and area.low <= 0:
        made.append(
            f"At other sizes random directions do as well: over all sizes the gap is {points(area.value)} "
            f"(95 % interval {100 * area.low:+.1f} to {100 * area.high:+.1f})."
        )
    made += shared_cautions(student)
    lost = [name for name, value in student.report.recall.items() if value < 0.5 and name in student.learned]
    if lost:
        made.append(f"It agrees on less than half of what the network calls {listed(lost)}.")
    return made


def shared_cautions(student: Student) -> list[str]:
    """Return what must be read first of all students that were made from the same pictures."""
    report, made = student.report, []
    missing = [name for name in student.labels if name not in student.learned]
    if report.unlearned > 0:
        made.append(
            f"{len(student.classes)} of {len(student.labels)} classes were learned; {share(report.unlearned)} of the pictures belong, as the network "
            f"sees them, to others, such as {listed(missing)}, and are always wrong here. Give more pictures of them."
        )
    if report.pictures < FEW:
        made.append(f"Only {report.pictures} pictures to report on: every figure is rough, as the intervals say.")
    return made + [f"{note[:1].upper()}{note[1:]}." for note in student.about.get("notes", ())]


def table(student: Student) -> list[tuple[str, str, str, str]]:
    """Return the report as rows: what, value, interval, what it means."""
    report = student.report
    rows = [
        ("fidelity", share(report.fidelity.value), span(report.fidelity), "says what the network says"),
    ]
    if report.accuracy is not None and report.network is not None:
        rows += [
            ("accuracy", share(report.accuracy.value), span(report.accuracy), "says the true class"),
            ("the network's accuracy", share(report.network.value), span(report.network), "on the same pictures"),
        ]
    if report.on_errors is not None:
        rows.append(
            (
                "same error",
                share(report.on_errors.value),
                span(report.on_errors),
                f"of the {report.errors} pictures on which the network is wrong",
            )
        )
    rows.append(
        (
            "R² of the logits",
            "undefined" if report.r2 != report.r2 else f"{report.r2:.2f}",
            "",
            "share of the variance of the network's logits that its scores explain, up to one factor",
        )
    )
    rows += [(name, figures(value), "", "how much there is to read") for name, value in student.surrogate.sizes.items()]
    rows.append(("time to fit", f"{student.seconds:.2g} s", "", "all sizes, features computed before"))
    return rows


def reading(student: Student) -> list[tuple[str, str]]:
    """Return how to read a page."""
    made = [
        (
            "student",
            "A model that people can read, fitted to say what the network says from the network's own frozen features."
            if student.by == "network"
            else "A model that people can read, fitted on the labels, from the network's frozen features.",
        ),
        (student.basis.noun, BASES.get(student.basis.kind, "What the student reads of each picture.")),
        ("fidelity", "Share of pictures on which student and network name the same class."),
        (
            student.basis.control_noun,
            f"The same kind of model, of the same size, over {CONTROLS.get(student.basis.kind, 'as many directions drawn at random')}. "
            f"What is gained over it is what the {student.basis.noun}s are worth.",
        ),
        (
            "three parts",
            "Concepts and model were fitted on one part of the pictures, the size was chosen on another, and everything here was measured on the third.",
        ),
    ]
    return made + KINDS.get(student.kind, [])


BASES = {
    "concepts": "A direction among the features of a layer that was found in the pictures; the patches show where it is strongest. Its number in a "
    "picture is the mean of its strength over all places. Names in brackets say which class is met most among its strongest pictures, and how often; a number alone is a name that nobody gave.",
    "channels": "One channel of the layer; its number in a picture is the mean over all places.",
    "superpixels": "A kind of segment, found in the pictures: 1 where a picture, cut into some segments of even colour, has one whose features are nearest to "
    "this kind, else 0. Numbers are names that nobody gave.",
    "attributes": "What the table says of a picture: a number in deviations from the mean, or whether it has a level. The network plays no part in it.",
}
CONTROLS = {
    "superpixels": "as many kinds of segments in random directions",
    "attributes": "the same columns, each picture with the line of another one",
}
KINDS = {
    "linear": [
        (
            "weight",
            "How much the score of a class rises (orange, right) or falls (purple, left) where a concept is one standard deviation stronger than usual. "
            "The scores are sums of these; the class with the largest score is the answer.",
        )
    ],
    "prototypes": [
        (
            "prototype",
            "A real picture that stands for a class. A picture is given the class of the prototype that it resembles most.",
        ),
    ],
    "rules": [
        (
            "rules",
            "Each rule adds points to the classes where its condition holds; the class with the most points is the answer.",
        )
    ],
    "additive": [
        (
            "shape",
            "How much a class gains or loses as one concept grows from its least value (left) to its largest (right).",
        ),
    ],
}
