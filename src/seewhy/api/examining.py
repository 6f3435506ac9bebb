"""`seewhy.examine`: one photo, explained, with all that belongs beside the map."""

from dataclasses import dataclass
from typing import Any, ClassVar

from PIL import Image

from seewhy.api import DEFAULT_METHOD, MethodLike, ModelLike, Session, Source, TargetLike, as_method
from seewhy.choice import AUTO_METHOD, choose
from seewhy.core.explanation import Explanation
from seewhy.core.sample import Sample
from seewhy.engine.model import Fit
from seewhy.errors import DataError
from seewhy.report import examine as examination
from seewhy.report.document import Document
from seewhy.report.numbers import numbers
from seewhy.report.page import page
from seewhy.report.photo import PhotoReport
from seewhy.report.picture import picture
from seewhy.targets import as_target


@dataclass(frozen=True, eq=False)
class Examined(Document):
    """One photo, explained: the map, the likeliest classes with theirs, the hide test, channels, cautions and costs.

    Attributes:
        report: all of it as plain values.
        explanation: the map itself.
    """

    report: PhotoReport
    explanation: Explanation

    noun: ClassVar = "an examined photo"

    def page(self) -> str:
        """Return the page to read, one HTML file."""
        return page(self.report)

    def picture(self) -> Image.Image:
        """Draw the map over the photo, with the outcome of the hide test."""
        return picture(self.report)

    def numbers(self) -> dict[str, Any]:
        """Return every number as plain values."""
        return numbers(self.report)


def examine(
    source: Source | Sample,
    model: ModelLike = None,
    target: TargetLike = None,
    method: MethodLike = DEFAULT_METHOD,
    *,
    fit: Fit | None = None,
    hide_test: bool = True,
    device: str | None = None,
    seed: int = 0,
) -> Examined:
    """Explain one photo, and say how far to trust that: what `seewhy explain` writes, in Python.

    Args:
        source: a path, a PIL picture, a uint8 array (h, w, 3), a float tensor (3, h, w) with values from 0 to 1, or a prepared sample.
        model: a `seewhy.Model`, or a name for `seewhy.load_model`; the built-in network if None.
        target: a class by name or index, a function, or one of `seewhy.targets`; the predicted class if None.
        method: a key such as "grad-cam", or a method; "auto" chooses one for the network.
        fit: how the photo is fitted; the model's own way if None.
        hide_test: whether to run the hide test: nine more passes.
        device: where to run; where the network is, if None.
        seed: of everything that is drawn at random.

    Raises:
        SeewhyError: the picture, the model, the target or the method does not fit; the message says what to do.

    Example:
        >>> seewhy.examine("photo.jpg").save("why.html")
    """
    with Session(model, device=device, seed=seed) as session:
        [made] = session.samples([source], fit)
        if made.placement is not None:
            raise DataError(f"{made.name} is a volume: seewhy.examine_scan(...) examines it")
        if made.inputs.dim() == 4:
            raise DataError(f"{made.name or 'this'} is a clip: seewhy.examine_clip(...) examines it")
        asked = asked_of(session, made, target, method, hide_test=hide_test)
        return Examined(examination.examine(asked), asked.explanation)


def asked_of(
    session: Session, sample: Sample, target: TargetLike, method: MethodLike, *, hide_test: bool, channels: int = 4
) -> examination.Asked:
    """Explain one prepared source, "auto" included, for further questions about it."""
    chosen = choose(session, session.network.accept(sample.inputs[None])) if method == AUTO_METHOD else None
    wanted = examination.Examination(channels=channels, hide_test=hide_test, notes=(chosen.note,) if chosen else ())
    return examination.ask(session, sample, as_target(target), chosen.method if chosen else as_method(method), wanted)
