"""The contact sheet of a clip: its strongest frames, and frames that lie evenly over it, on one scale."""

from PIL import Image

from seewhy.report.clip import ClipReport
from seewhy.report.clip_words import answer_words, verdicts, when_words


def clip_sheet(report: ClipReport) -> Image.Image:
    """Draw the strongest frames and evenly spread ones, each with its time and importance."""
    lines = (f"outlined: {report.outlined}" if report.outlined else "nothing is outlined, as nothing speaks for it",)
    notes = (f"{report.answer}, {answer_words(report)}", *lines, when_words(report), *verdicts(report))
    return report.reel.sheet(report.reel.picked(), notes=notes)
