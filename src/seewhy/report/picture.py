"""The overlay of the answer that is explained, as one picture."""

from PIL import Image

from seewhy.render.overlay import overlay
from seewhy.render.scene import scale_end
from seewhy.report.photo import PhotoReport
from seewhy.report.words import answer_value, hide_line


def picture(report: PhotoReport) -> Image.Image:
    """Draw the map of the chosen answer over the photo: its name above, the scale and the hide test below.

    The line goes around the area that was hidden; without a hide test, around the strongest fifth.
    """
    answer = report.answers[report.chosen]
    test = report.hide_test
    return overlay(
        report.picture,
        answer.heatmap,
        signed=report.signed,
        limit=report.limit,
        title=f"why {answer.name}?   {answer_value(answer, report.score_unit)}",
        unit=report.unit,
        normalization=normalization(report),
        area=test.area if test else None,
        notes=(hide_line(test) if test else "hide test: not run",),
    )


def normalization(report: PhotoReport) -> str:
    """Return what the end of the colour scale is, in words.

    Maps lose a little of their peak when they are enlarged, so a limit up to a tenth above it is still called theirs.
    """
    largest = max(scale_end(answer.heatmap, None, signed=report.signed) for answer in report.answers)
    if not 0.9 * report.limit <= largest <= report.limit * (1 + 1e-6):
        return "a limit shared by all maps of this photo"
    what = "the largest magnitude" if report.signed else "the maximum"
    return f"{what} over all maps of this photo" if len(report.answers) > 1 else f"{what} of this map"
