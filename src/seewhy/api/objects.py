"""`seewhy.objects`: what a detector found in one photo and what it missed, with the evidence for each."""

from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from seewhy.api import MethodLike, ModelLike, Session, Source, as_method
from seewhy.choice import AUTO_METHOD
from seewhy.core.method import Method
from seewhy.core.sample import Sample
from seewhy.data.marked import read_truth
from seewhy.data.picture import sample
from seewhy.data.truth import Truth
from seewhy.data.yolo import read_classes
from seewhy.engine import session as engine
from seewhy.engine.black_box import is_black_box
from seewhy.engine.model import Fit
from seewhy.errors import DataError
from seewhy.report.objects_document import MOST, ObjectsReport, objects_report

TruthLike = str | Path | list[Truth] | tuple[Truth, ...] | None

MASKS, CELLS = 1000, 12
"""For black boxes: masks that are shown once for all objects, and their cells along each axis. The paper of D-RISE takes 5000 masks of 16 cells."""


def objects(
    photo: Source | Sample,
    model: ModelLike | engine.Session,
    truth: TruthLike = None,
    *,
    method: MethodLike = AUTO_METHOD,
    classes: str | Path | None = None,
    most: int = MOST,
    fit: Fit | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: engine.Progress | None = None,
    command: str = "",
) -> ObjectsReport:
    """Explain the objects that a detector found in a photo, and those that it missed.

    Args:
        photo: as `seewhy.explain` takes it.
        model: a detector whose `Model(output=...)` reads its rows, see `seewhy.adapters.detections`; or a session that is open.
        truth: marked objects: a COCO `.json`, a YOLO `.txt`, a folder with a `.txt` of the photo's name, or a list of `Truth`. What was missed is
            then explained, too.
        method: of maps. "auto" is HiResCAM where gradients are to be had (which at a row of a detector is ODAM), and RISE for a black box (which is D-RISE).
        classes: a text file with the names of YOLO's classes; the model's labels if None.
        most: objects that are explained, of the found and of the missed.
        fit: how the photo is fitted.
        seed: of everything that is drawn.
        device: where to run.
        progress: is told what is done.
        command: makes it again; written on the page.

    Returns:
        An `ObjectsReport`: `.objects`, `.numbers()`, `.picture()`, `.save("objects.html")` (or .png, .json, .npz).

    Raises:
        SeewhyError: of any kind; the message says what to do.

    Example:
        >>> found = seewhy.objects("street.jpg", model, "labels/street.txt")
        >>> [(one.title, one.evidence.for_it.inside) for one in found.objects]
    """
    session: engine.Session
    session = (
        model if isinstance(model, engine.Session) else Session(model, device=device, seed=seed, progress=progress)
    )
    made = photo if isinstance(photo, Sample) else _sample(session, photo, fit)
    return objects_report(
        session, made, chosen(session, method), _truths(truth, made, session, classes), most=most, command=command
    )


def chosen(session: engine.Session, method: MethodLike) -> Method:
    """Return the method; "auto" by what the model lets itself be asked."""
    if method != AUTO_METHOD:
        return as_method(method)
    if is_black_box(session.network.module):
        return as_method(rise())
    return as_method("hires-cam")


def rise() -> Method:
    """Return RISE with masks fine enough for objects."""
    from seewhy.attribution.rise import RISE

    return RISE(samples=MASKS, cells=CELLS)


def _sample(session: engine.Session, photo: object, fit: Fit | None) -> Sample:
    if isinstance(photo, Tensor) and photo.dim() >= 4 and len(photo) == 1:
        ready: Float[Tensor, "1 c h w"] = session.network.accept(photo)
        return Sample(ready[0], name="image 0")
    return sample(photo, session.model, fit)


def _truths(
    truth: TruthLike, made: Sample, session: engine.Session, classes: str | Path | None
) -> tuple[Truth, ...] | None:
    if truth is None or isinstance(truth, (list, tuple)):
        return truth if truth is None else tuple(truth)
    picture: Image.Image | None = made.picture
    if picture is None:
        raise DataError("marked objects lie in a picture, and the sample is a ready input; give the photo itself")
    names = read_classes(classes) if classes is not None else session.model.labels
    return read_truth(truth, made.name, (picture.height, picture.width), names)
