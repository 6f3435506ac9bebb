"""The overlay of the answer that is explained, as one picture."""

from PIL import Image

from seewhy.render.overlay import overlay
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
        normalization=report.normalization,
        area=test.area if test else None,
        notes=(hide_line(test) if test else "hide test: not run",),
    )
