"""What a student is worth, in sentences."""

from collections.abc import Sequence

from seewhy.contributions.table import Estimate
from seewhy.render.bar import figures
from seewhy.surrogates.frontier import Frontier, Point
from seewhy.surrogates.lesson import By
from seewhy.surrogates.measure import Report
from seewhy.surrogates.surrogate import Surrogate

SMALL = 3.0
"""Non-zeros per class at which concepts must beat random directions."""
RANDOM = "random directions"
"""What stands beside what a student reads, unless that says otherwise."""
MOST_NAMES = 6
"""Names that a sentence lists."""


def heading(title: str, network: str, by: By) -> str:
    """Return which network is shown as what."""
    if by == "labels":
        return f"{title[:1].upper()}{title[1:]} on features of {network}"
    return f"{network} as {article(title)}"


def article(noun: str) -> str:
    """Return a noun with "a" or "an" before it; nouns of many stand without."""
    first = noun.partition(" ")[0]
    plural = first.endswith("s") and not first.endswith("ss")
    return noun if plural else f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def the(noun: str) -> str:
    """Return a noun with "the" before it; nouns of many stand without."""
    return noun if article(noun) == noun else f"the {noun}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points: "+12.5 points"."""
    return f"{100 * share:+.1f} points"


def share(value: float) -> str:
    """Return a share in percent, as exact as some hundred pictures allow."""
    return f"{100 * value:.0f} %" if 0.0995 <= value < 0.995 or value in (0.0, 1.0) else f"{100 * value:.1f} %"


def span(one: Estimate) -> str:
    """Return the 95 % interval of a share."""
    return f"{100 * one.low:.0f} to {100 * one.high:.0f} %"


def lines(report: Report, surrogate: Surrogate) -> list[str]:
    """Return the first sentences of a page: agreement, the network's errors, what is right, how large."""
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
    made.append(f"To read: {size_line(surrogate)}.")
    return made


def counted(value: float, noun: str) -> str:
    """Return a number with its noun: "6 non-zeros per class", "1 prototype per class"; a measure comes before its number: "depth 4"."""
    first, space, rest = noun.partition(" ")
    if not first.endswith("s"):
        return f"{noun} {figures(value)}"
    if value == 1 and first.endswith("ves"):
        first = f"{first[:-3]}f"
    elif value == 1:
        first = first.removesuffix("s")
    return f"{figures(value)} {first}{space}{rest}"


def size_line(surrogate: Surrogate) -> str:
    """Return all figures of its size."""
    return ", ".join(counted(value, name) for name, value in surrogate.sizes.items())


def margin(frontier: Frontier) -> Point | None:
    """Return the point at which concepts must beat random directions: three non-zeros per class, where size counts these; else the chosen size."""
    if frontier.unit != "non-zeros per class":
        return frontier.points[frontier.chosen]
    fitting = [point for point in frontier.points if point.size <= SMALL + 1e-9]
    return fitting[-1] if fitting else None


def verdict(frontier: Frontier, noun: str, control: str = RANDOM) -> tuple[str, str]:
    """Return whether concepts, or whatever the noun names, beat their control at a small size: "passes", "fails" or "unclear", and a sentence."""
    point = margin(frontier)
    if point is None:
        return "unclear", f"There is no model small enough to tell {noun} from {control}."
    at = f"At {counted(point.size, frontier.unit)}"
    gap = f"{points(point.gap.value)} (95 % interval {100 * point.gap.low:+.1f} to {100 * point.gap.high:+.1f})"
    own, other = share(point.fidelity), share(point.control)
    if point.gap.low > 0:
        return "passes", f"{at}, {noun} reach a fidelity of {own}, {control} {other}: {gap}."
    if point.gap.high < 0:
        return (
            "fails",
            f"{at}, {control} (fidelity {other}) do better than {noun} ({own}): {gap}. What it reads says little here.",
        )
    return "unclear", f"{at}, {noun} (fidelity {own}) are not shown to beat {control} ({other}): {gap}."


def listed(names: Sequence[str]) -> str:
    """Return some names, and how many more there are."""
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown
