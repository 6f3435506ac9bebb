"""`seewhy.examine_scan`: one volume, explained, with its regions in millimetres and its map at its own voxels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from seewhy import render
from seewhy.api import DEFAULT_METHOD, MethodLike, ModelLike, Session, TargetLike
from seewhy.api.examining import asked_of
from seewhy.core.explanation import Explanation
from seewhy.core.volume import Volume
from seewhy.data.scan import Scan
from seewhy.report.document import Document
from seewhy.report.volume import VolumeReport
from seewhy.report.volume_examine import examine_volume
from seewhy.report.volume_maps import dicom_map, nifti_map
from seewhy.report.volume_numbers import volume_numbers
from seewhy.report.volume_page import volume_page
from seewhy.report.volume_picture import volume_picture


@dataclass(frozen=True, eq=False)
class ExaminedScan(Document):
    """One volume, explained: the map, its regions, the likeliest classes, the hide test, cautions and costs.

    Attributes:
        report: all of it as plain values.
        explanation: the map itself.
    """

    report: VolumeReport
    explanation: Explanation

    noun: ClassVar = "an examined scan"

    def page(self) -> str:
        """Return the page to read, one HTML file with three planes to scroll through."""
        return volume_page(self.report)

    def picture(self) -> Image.Image:
        """Draw the three planes through the map's strongest place."""
        return volume_picture(self.report)

    def numbers(self) -> dict[str, Any]:
        """Return every number as plain values."""
        return volume_numbers(self.report)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it to a `.html`, `.png` or `.json` file, or the map at the scan's own voxels to a `.nii.gz` or `.dcm` file.

        Nothing that is written says whose the scan is.

        Raises:
            DataError: another ending; the file is there already and `force` is off, or it cannot be written.
        """
        for ending, made in ((".nii.gz", nifti_map), (".dcm", dicom_map)):
            if str(path).lower().endswith(ending):
                return render.write_bytes(path, made(self.explanation), force=force)
        return super().save(path, force=force)


def examine_scan(
    source: str | Path | Scan | Volume,
    model: ModelLike,
    target: TargetLike = None,
    method: MethodLike = DEFAULT_METHOD,
    *,
    hide_test: bool = True,
    device: str | None = None,
    seed: int = 0,
) -> ExaminedScan:
    """Explain one volume with a network for volumes, and say how far to trust that: what `seewhy explain` writes, in Python.

    Args:
        source: a NIfTI file, an enhanced DICOM file or the folder of a DICOM series; or what `seewhy.read_scan` gave, or a `seewhy.Volume`.
        model: a `seewhy.Model` that states its `depth`, or a name for `seewhy.load_model`.
        target: a class by name or index, a function, or one of `seewhy.targets`; the predicted class if None.
        method: a key such as "grad-cam", or a method; "auto" chooses one for the network.
        hide_test: whether to run the hide test: nine more passes.
        device: where to run; where the network is, if None.
        seed: of everything that is drawn at random.

    Raises:
        SeewhyError: the scan, the model, the target or the method does not fit; the message says what to do.

    Example:
        >>> seewhy.examine_scan("head.nii.gz", model, "bleeding").save("map.nii.gz")
    """
    with Session(model, device=device, seed=seed) as session:
        [made] = session.samples([source])
        asked = asked_of(session, made, target, method, hide_test=hide_test, channels=0)
        return ExaminedScan(examine_volume(asked), asked.explanation)
