"""Prepare whatever a user names: a picture, a video, a folder of frames, an array."""

from pathlib import Path
from typing import Any

from seewhy.core.clip import Clip
from seewhy.core.sample import Sample
from seewhy.data import picture
from seewhy.data.clips import read_clip
from seewhy.data.video import is_video
from seewhy.engine.model import Fit, Model
from seewhy.engine.preprocessing import prepare_clip
from seewhy.errors import ModelError


def sample(source: Any, model: Model, fit: Fit | None = None) -> Sample:
    """Read a source and prepare it as the model states.

    Args:
        source: a picture (see `seewhy.data.picture.read`), the path of a video, or a `Clip`.
        model: says how it is prepared.
        fit: how each picture is fitted; the model's own way if None.

    Raises:
        DataError: the source cannot be read.
        ModelError: the model does not state its preprocessing, or takes another kind of input.
    """
    if isinstance(source, Clip):
        return prepare_clip(source, "clip", model, fit)
    if isinstance(source, (str, Path)) and is_video(Path(source)):
        if model.frames is None:
            raise ModelError(
                f"{source} is a video, and {model.title} takes pictures; for a network for clips state seewhy.Model(..., frames=16)"
            )
        return prepare_clip(read_clip(Path(source), model.frames, model.stride), Path(source).name, model, fit)
    return picture.sample(source, model, fit)
