"""`seewhy.examine_clip`: one clip, explained, with all that belongs beside the map."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from seewhy import render
from seewhy.api import DEFAULT_METHOD, MethodLike, ModelLike, Session, Source, TargetLike
from seewhy.api.examining import asked_of
from seewhy.core.explanation import Explanation
from seewhy.core.sample import Sample
from seewhy.engine.model import Fit
from seewhy.errors import DataError
from seewhy.report.clip import ClipReport
from seewhy.report.clip_examine import examine_clip as examined
from seewhy.report.clip_numbers import clip_numbers
from seewhy.report.clip_page import clip_page
from seewhy.report.clip_sheet import clip_sheet
from seewhy.report.document import Document


@dataclass(frozen=True, eq=False)
class ExaminedClip(Document):
    """One clip, explained: the map over time and place, its tubes, importance of frames, hide test, time tests, cautions and costs.

    Attributes:
        report: all of it as plain values.
        explanation: the map itself.
    """

    report: ClipReport
    explanation: Explanation

    noun: ClassVar = "an examined clip"

    def page(self) -> str:
        """Return the page to read, one HTML file that plays the frames."""
        return clip_page(self.report)

    def picture(self) -> Image.Image:
        """Draw the strongest frames, and frames that lie evenly over the clip, on one scale."""
        return clip_sheet(self.report)

    def numbers(self) -> dict[str, Any]:
        """Return every number as plain values, tubes row by row."""
        return clip_numbers(self.report)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it to a `.mp4` (movie), `.webp` or `.gif` (small preview), `.html`, `.png` (sheet) or `.json` file.

        Raises:
            DataError: another ending; the file is there already and `force` is off, or it cannot be written.
        """
        if Path(path).suffix.lower() in (".mp4", ".webp", ".gif"):
            return render.write_reel(path, self.report.reel, force=force)
        return super().save(path, force=force)


def examine_clip(
    source: Source | Sample,
    model: ModelLike,
    target: TargetLike = None,
    method: MethodLike = DEFAULT_METHOD,
    *,
    fit: Fit | None = None,
    hide_test: bool = True,
    timeline: bool = True,
    device: str | None = None,
    seed: int = 0,
) -> ExaminedClip:
    """Explain one clip, and say how far to trust that: what `seewhy explain` writes of it, in Python.

    Args:
        source: path of a video, an animation or a folder of frames, uint8 frames (t, h, w, 3), a `Clip`, or a prepared sample.
        model: a `seewhy.Model` with `frames`, or a name for `seewhy.load_model`.
        target: a class by name or index, a function, or one of `seewhy.targets`; the predicted class if None.
        method: a key such as "grad-cam", or a method; "auto" chooses one for the network.
        fit: how each frame is fitted; the model's own way if None.
        hide_test: whether to blur the tubes and look again: nine more passes.
        timeline: whether to ask what is lost without each frame, and whether time matters: about five passes a frame.
        device: where to run; where the network is, if None.
        seed: of everything that is drawn at random.

    Raises:
        SeewhyError: the clip, the model, the target or the method does not fit; the message says what to do.

    Example:
        >>> seewhy.examine_clip("clip.mp4", model).save("why.html")
    """
    with Session(model, device=device, seed=seed) as session:
        [made] = session.samples([source], fit)
        if made.inputs.dim() != 4 or made.placement is not None:
            raise DataError(f"{made.name or 'this'} is no clip; see seewhy.examine and seewhy.examine_scan")
        asked = asked_of(session, made, target, method, hide_test=hide_test, channels=0)
        return ExaminedClip(examined(asked, timed=timeline), asked.explanation)
