"""Medical files: what each of them holds (a picture, frames in time, or a volume), and the network's input made from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from seewhy.core.clip import Clip
from seewhy.core.sample import Sample
from seewhy.core.volume import SHOWN, Volume
from seewhy.engine.model import Fit, Model
from seewhy.engine.preprocessing import prepare, prepare_clip
from seewhy.engine.volumes import prepare_slice, prepare_volume, remarks
from seewhy.errors import DataError


@dataclass(frozen=True, eq=False)
class Scan:
    """What a medical file holds. Nothing in it says whose it is.

    Attributes:
        name: for people; empty of what identifies a patient as far as the file tells it.
        volume: the values; of a single picture in grey, one slice. None where the file holds colours.
        picture: a single picture as a viewer shows it; None for volumes and frames in time.
        clip: frames in time.
        notes: what a reader must know.
        files: the files that it was read from, in the order of the slices.
    """

    name: str
    volume: Volume | None = None
    picture: Image.Image | None = None
    clip: Clip | None = None
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def shown(self) -> Volume:
        """The volume in the orientation in which scans are shown, whose slices are numbered from 0 at the feet.

        Raises:
            DataError: it is no volume.
        """
        if self.volume is None or self.picture is not None:
            raise DataError(f"{self.name} is a single picture, and has no slices")
        return self.volume.turned(SHOWN)


def prepared(scan: Scan, model: Model, fit: Fit | None = None, index: int | None = None) -> Sample:
    """Return the sample of a scan, as the network takes it: the volume, one slice of it, the picture, or frames.

    Args:
        scan: what was read.
        model: says how it is prepared.
        fit: how a picture is fitted.
        index: which slice of a volume, from 0 at the feet, for a network for pictures.

    Raises:
        DataError: the network wants what the scan does not hold, or no slice was chosen.
        ModelError: the model does not state its preprocessing.
    """
    if model.for_clips:
        return _frames(scan, model, fit)
    if scan.clip is not None:
        raise DataError(
            f"{scan.name} holds {len(scan.clip)} frames in time, and {model.title} takes none; export one frame as a picture"
        )
    if model.for_volumes:
        return prepare_volume(_deep(scan, model), model, fit, scan.notes)
    if scan.picture is not None:
        return _still(scan, scan.picture, model, fit)
    shown = scan.shown
    if index is None:
        raise DataError(
            f"{scan.name} has {len(shown.values)} slices, and {model.title} takes pictures; say which: --slice {len(shown.values) // 2}, "
            "--slice all, or index= in Python"
        )
    notes = tuple(note for note in remarks(shown) if "voxels" in note)
    return prepare_slice(shown, index, model, fit, scan.notes + notes)


def _deep(scan: Scan, model: Model) -> Volume:
    if scan.volume is None:
        raise DataError(f"{scan.name} is a picture in colour, and {model.title} takes volumes")
    if min(scan.volume.shape) < 2:
        raise DataError(
            f"{scan.name} has one slice, and {model.title} takes volumes of at least 2; give the folder of the series"
        )
    return scan.volume


def _still(scan: Scan, picture: Image.Image, model: Model, fit: Fit | None) -> Sample:
    """Return the sample of a single picture: as a viewer shows it, or in the window that the model states."""
    if scan.volume is not None and isinstance(model.window, tuple):
        return prepare_slice(scan.volume, 0, model, fit, scan.notes)
    return replace(prepare(picture, scan.name, model, fit), volume=scan.volume, notes=scan.notes)


def _frames(scan: Scan, model: Model, fit: Fit | None) -> Sample:
    if scan.clip is None or model.frames is None:
        raise DataError(f"{scan.name} holds no frames in time, and {model.title} takes clips of {model.frames} frames")
    numbers = _taken(len(scan.clip), model.frames, model.stride, scan.name)
    clip = Clip(
        scan.clip.frames[list(numbers)],
        tuple(scan.clip.seconds[number] for number in numbers),
        numbers,
        scan.clip.rate,
    )
    return replace(prepare_clip(clip, scan.name, model, fit), notes=scan.notes)


def _taken(count: int, frames: int, stride: int | None, name: str) -> tuple[int, ...]:
    """Return which frames are taken: every `stride`-th, or the middles of equal parts."""
    if count < (frames if stride is None else (frames - 1) * stride + 1):
        raise DataError(
            f"{name} has {count} frames, and {frames} are wanted" + (f", every {stride}th" if stride else "")
        )
    if stride is not None:
        return tuple(range(0, frames * stride, stride))[:frames]
    return tuple(int((part + 0.5) * count / frames) for part in range(frames))


def chosen_slices(text: str, count: int) -> Sequence[int]:
    """Return the numbers of the slices that a text names: "all", "middle", or numbers and ranges such as "3,8-12".

    Raises:
        DataError: another text, or a slice that is not there.
    """
    if text in ("all", "middle"):
        return range(count) if text == "all" else [count // 2]
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or (last and not last.isdigit()) or int(last or first) < int(first):
            raise DataError(
                f"--slice is a number, a range such as 10-20, several with commas, 'middle' or 'all'; got {text!r}"
            )
        if int(last or first) >= count:
            raise DataError(f"--slice {text}: the scan has slices 0 to {count - 1}")
        found += range(int(first), int(last or first) + 1)
    return list(dict.fromkeys(found))
