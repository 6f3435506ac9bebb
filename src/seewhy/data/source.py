"""Prepare whatever a user names: a picture, a video, an animation, a folder of frames, an array."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from seewhy.core.clip import Clip
from seewhy.core.sample import Sample
from seewhy.core.volume import Volume
from seewhy.data import animation, picture
from seewhy.data.clips import Short, read_clip
from seewhy.data.medical import is_scan, read_scan
from seewhy.data.opening import is_pictures
from seewhy.data.scan import Scan, prepared
from seewhy.data.video import is_video
from seewhy.engine.model import Fit, Model
from seewhy.engine.preprocessing import prepare_clip
from seewhy.engine.volumes import prepare_volume
from seewhy.errors import DataError, ModelError

LONGEST = 1920
"""Longer side of a clip's frames at most, in pixels: larger ones are made smaller while they are read, and a note says so."""


def sample(source: Any, model: Model, fit: Fit | None = None, short: Short = "error") -> Sample:
    """Read a source and prepare it as the model states.

    Args:
        source: a picture (see `seewhy.data.picture.read`). For a network for clips: the path of a video, of an animation (GIF, WebP,
            APNG) or of a folder of frames, uint8 frames (t, h, w, 3), floating point ones (t, 3, h, w) from 0 to 1, a list of pictures,
            or a `Clip`. Frames are taken as the model's `frames` and `stride` say. A DICOM or NIfTI file, a folder with a DICOM series,
            or a `Scan` or `Volume` for all kinds of networks, as far as they hold what these take.
        model: says how it is prepared.
        fit: how each picture is fitted; the model's own way if None.
        short: what is done with a clip of fewer frames than the model takes: "error", "repeat" (the last one is held) or "loop".

    Raises:
        DataError: the source cannot be read, or has too few frames.
        ModelError: the model does not state its preprocessing, or takes another kind of input.
    """
    if isinstance(source, Clip):
        return prepare_clip(source, "clip", model, fit)
    if isinstance(source, Volume):
        return prepare_volume(source, model, fit)
    if isinstance(source, Scan):
        return prepared(source, model, fit)
    if isinstance(source, (str, Path)) and is_scan(Path(source)):
        return prepared(read_scan(source), model, fit)
    if model.frames is not None and holds_frames(source):
        clip = read_clip(source, model.frames, model.stride, short=short, longest=LONGEST)
        return prepare_clip(clip, name_of(source), model, fit)
    if isinstance(source, (str, Path)) and is_video(Path(source)):
        raise ModelError(
            f"{source} is a video, and {model.title} takes pictures; for a network for clips state seewhy.Model(..., frames=16)"
        )
    return picture.sample(source, model, fit)


def holds_frames(source: Any) -> bool:
    """Say whether a source may be a clip, for a network that takes clips: what is not known as a single picture is."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        return path.is_dir() or path.suffix.lower() not in picture.ENDINGS - animation.ENDINGS
    if isinstance(source, (np.ndarray, Tensor)):
        return source.ndim not in {2, 3}
    return is_pictures(source)


def clips_in(sources: Iterable[str | Path]) -> list[Path]:
    """Return what is explained one by one by a network for clips: files as they are; of a folder its videos and animations, or the folder itself
    where its pictures are the frames of one clip, or what its folders hold.

    Raises:
        DataError: a folder in which there is none of these.
    """
    return [clip for source in map(Path, sources) for clip in (_inside(source) if source.is_dir() else [source])]


def _inside(folder: Path, deeper: bool = True) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.name[0] != "." and path.is_file())
    videos = [path for path in files if is_video(path) or path.suffix.lower() == ".gif"]
    if videos or any(path.suffix.lower() in picture.ENDINGS for path in files):
        return videos or [folder]
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".") if deeper else []
    found = [clip for path in inner for clip in _inside(path, deeper=False)]
    if not found and deeper:
        raise DataError(f"{folder}: no video and no frames in this folder")
    return found


def name_of(source: Any) -> str:
    """Return a clip's name for people."""
    return Path(source).name if isinstance(source, (str, Path)) else "clip"
