"""What a student is worth, in words: how nearly it says what the network says, what it costs, what must be read first."""

from collections.abc import Sequence

from seewhy.contributions.table import Estimate
from seewhy.render.bar import figures
from seewhy.surrogates.frontier import Frontier, Point
from seewhy.surrogates.student import Student

SMALL = 3.0
"""Non-zeros per class at which concepts must beat random directions."""
FEW = 100
"""Pictures of the report below which every figure is rough."""
MOST_NAMES = 6
"""Names that a sentence lists."""
CREED = (
    "A student says what the network says, as far as the figures above go; it does not do what the network does. "
    "Another student of the same fidelity may read other concepts."
)


def heading(student: Student) -> str:
    """Return what the page is about."""
    network = str(student.about.get("model", "")) or "the network"
    title = student.surrogate.title
    if student.by == "labels":
        return f"{title[:1].upper()}{title[1:]} on features of {network}"
    return f"{network} as {article(title)}"


def article(noun: str) -> str:
    """Return a noun with "a" or "an" before it; nouns of many stand without."""
    plural = noun.endswith("s") and not noun.endswith("ss")
    return noun if plural else f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points: "+12.5 points"."""
    return f"{100 * share:+.1f} points"


def share(value: float) -> str:
    """Return a share in percent, as exact as some hundred pictures allow."""
    return f"{100 * value:.0f} %" if 0.0995 <= value < 0.9995 or value in (0.0, 1.0) else f"{100 * value:.1f} %"


def span(one: Estimate) -> str:
    """Return the 95 % interval of a share."""
    return f"{100 * one.low:.0f} to {100 * one.high:.0f} %"


def lines(student: Student) -> list[str]:
    """Return the first sentences of a page: agreement, the network's errors, what is right, how large."""
    report = student.report
    same = round(report.fidelity.value * report.pictures)
    made = [
        f"On {same} of {report.pictures} pictures it says what the network says: fidelity {share(report.fidelity.value)} "
        f"(95 % interval {span(report.fidelity)})."
    ]
    if report.on_errors is not None:
        made.append(
            f"Where the network errs ({report.errors} picture{'s' if report.errors != 1 else ''}), it makes the same error on "
            f"{share(report.on_errors.value)}."
        )
    if report.accuracy is not None and report.network is not None:
        cost = report.network.value - report.accuracy.value
        made.append(
            f"It is right on {share(report.accuracy.value)}, the network on {share(report.network.value)}: "
            + (f"being readable costs {100 * cost:.1f} points." if cost > 0 else "being readable costs nothing here.")
        )
    made.append(f"To read: {size_line(student)}.")
    return made


def size_line(student: Student) -> str:
    """Return all figures of its size."""
    return ", ".join(f"{figures(value)} {name}" for name, value in student.surrogate.sizes.items())


def margin(frontier: Frontier) -> Point | None:
    """Return the point at which concepts must beat random directions: three non-zeros per class, where size counts these; else the chosen size."""
    if frontier.unit != "non-zeros per class":
        return frontier.points[frontier.chosen]
    fitting = [point for point in frontier.points if point.size <= SMALL + 1e-9]
    return fitting[-1] if fitting else None


def verdict(student: Student) -> tuple[str, str]:
    """Return whether what the student reads beats random directions at a small size: "passes", "fails" or "unclear", and a sentence."""
    point, noun = margin(student.frontier), f"{student.basis.noun}s"
    if point is None:
        return "unclear", "There is no model small enough to tell concepts from random directions."
    at = f"At {figures(point.size)} {student.frontier.unit}"
    told = (
        f"{noun} reach a fidelity of {share(point.fidelity)}, random directions {share(point.control)}: "
        f"{points(point.gap.value)} (95 % interval {100 * point.gap.low:+.1f} to {100 * point.gap.high:+.1f})"
    )
    if point.gap.low > 0:
        return "passes", f"{at}, {told}."
    if point.gap.high < 0:
        return "fails", f"{at}, random directions do better: {told}. What it reads here says little."
    return (
        "unclear",
        f"{at}, {noun} do not beat random directions: {told}. As many directions drawn at random would do as well.",
    )


def area_line(frontier: Frontier) -> str:
    """Return the mean gap to the control over all sizes."""
    one = frontier.area
    return (
        f"Over all sizes the gap to random directions is {points(one.value)} on average (95 % interval {100 * one.low:+.1f} to {100 * one.high:+.1f}); "
        f"the control is the mean of {frontier.draws} draws."
    )


def chosen_line(student: Student) -> str:
    """Return why this size was chosen."""
    frontier = student.frontier
    taken, best = frontier.points[frontier.chosen], max(frontier.points, key=lambda point: point.choose)
    if taken == best:
        return f"{figures(taken.size)} {frontier.unit}: no other size does better on the pictures that the size was chosen on."
    given = student.about.get("points")
    within = f"at most {figures(float(given))} points" if isinstance(given, (int, float)) else "a little"
    return (
        f"{figures(taken.size)} {frontier.unit}: the smallest that gives up {within} against the best "
        f"({figures(best.size)} {frontier.unit}), on the pictures that the size was chosen on."
    )


def cautions(student: Student) -> list[str]:
    """Return what must be read first."""
    report, made = student.report, []
    outcome, told = verdict(student)
    if outcome != "passes":
        made.append(told)
    missing = [name for name in student.labels if name not in student.learned]
    if report.unlearned > 0:
        made.append(
            f"It has learned {len(student.classes)} of {len(student.labels)} classes; {share(report.unlearned)} of the pictures belong to others, "
            f"such as {listed(missing)}, and are always wrong here. Give more pictures of them."
        )
    if report.pictures < FEW:
        made.append(f"Only {report.pictures} pictures to report on: every figure is rough, as the intervals say.")
    lost = [name for name, value in report.recall.items() if value < 0.5 and name in student.learned]
    if lost:
        made.append(f"It agrees on less than half of what the network calls {listed(lost)}.")
    return made


def listed(names: Sequence[str]) -> str:
    """Return some names, and how many more there are."""
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


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
            "random directions",
            "The same kind of model, of the same size, over as many directions drawn at random. What is gained over it is what the "
            f"{student.basis.noun}s are worth.",
        ),
        (
            "three parts",
            "Concepts and model were fitted on one part of the pictures, the size was chosen on another, and everything here was measured on the third.",
        ),
    ]
    return made + KINDS.get(student.kind, [])


BASES = {
    "concepts": "A direction among the features of a layer that was found in the pictures; the patches show where it is strongest. Its number in a "
    "picture is the mean of its strength over all places. Names that are only numbers were given by nobody.",
    "channels": "One channel of the layer; its number in a picture is the mean over all places.",
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
