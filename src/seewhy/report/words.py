"""The sentences of a photo report: places, probabilities, and what a picture shows for those who do not see it."""

import numpy as np

from seewhy.evaluation.scan_regions import Region
from seewhy.render.bar import figures, percent
from seewhy.report.photo import Answer, HideTest, PhotoReport

OUTCOMES = {"passes": "passes", "unclear": "is unclear", "fails": "fails"}


def probability(value: float) -> str:
    """Return a probability with two digits; one that is not 0 or 1 is never called so."""
    if 0 < value < 0.01:
        return "under 0.01"
    if 0.99 < value < 1:
        return "over 0.99"
    return f"{value:.2f}"


def quantity(value: float, unit: str) -> str:
    """Return a value of the hide test: a probability, or a number with its unit."""
    return probability(value) if unit == "probability" else f"{figures(value)} {unit}".strip()


def answer_value(answer: Answer, unit: str) -> str:
    """Return "p = 0.71" for a class, or the score where the target is no class."""
    if answer.probability is None:
        return f"{figures(answer.score)} {unit}".strip()
    text = probability(answer.probability)
    return f"p {text}" if text[0] in "uo" else f"p = {text}"


def evidence(report: PhotoReport, index: int) -> str:
    """Return one sentence on where the evidence for an answer lies, and how concentrated it is."""
    answer = report.answers[index]
    if answer.concentration is None:
        against = report.signed and bool((answer.heatmap < 0).any())
        return "Nothing on the map speaks for it." if against else "The map shows no evidence: it is zero everywhere."
    held = f"The strongest {percent(0.2)} of the seen area hold {percent(answer.concentration)} of it."
    return f"Evidence for it: {answer.where}. {held}"


def hide_line(test: HideTest) -> str:
    """Return the hide test in one line of figures, for places that have no room for its sentence."""
    before, hidden = quantity(test.before, test.unit), quantity(test.hidden, test.unit)
    line = f"hide test {OUTCOMES[test.outcome]}: {before} → {hidden} with this area blurred"
    if not test.controls:
        return f"{line}; no control areas"
    mean = quantity(float(np.mean(test.controls)), test.unit)
    return f"{line}; {mean} for {len(test.controls)} other areas (mean)"


def region_words(region: Region) -> str:
    """Return how large a region of a picture out of a scan is, and where; "at" counts rows and columns of the source."""
    unit = "px" if region.unit == "pixels" else "mm"
    extent = " × ".join(f"{side:.3g}" for side in region.extent)
    side = f", on the patient's {region.side}" if region.side in ("left", "right") else ""
    return (
        f"{region.size:.0f} {region.unit}, {extent} {unit} (down × across), at row {region.voxel[0]}, column {region.voxel[1]}{side}, "
        f"{percent(region.share)} of the evidence, mean of the scan {region.mean:.4g}; where the map is above half of its maximum"
    )


def alternative(report: PhotoReport, index: int) -> str:
    """Return what the drawn map of an answer shows, for those who do not see it."""
    answer = report.answers[index]
    what = f"Heatmap over {report.name} for “{answer.name}” ({answer_value(answer, report.score_unit)})."
    test = report.hide_test
    tested = f" The {hide_line(test)}." if test and index == report.chosen else ""
    return f"{what} {evidence(report, index)}{tested}"
