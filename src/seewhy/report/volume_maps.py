"""The map of a scan at the scan's own voxels, as files that other programs read."""

from collections.abc import Sequence

import numpy as np

from seewhy.core.explanation import Explanation
from seewhy.data.dicom_file import Header
from seewhy.data.dicom_map import map_bytes
from seewhy.data.nifti import nifti_bytes
from seewhy.report.volume_examine import volume_of


def nifti_map(explanation: Explanation) -> bytes:
    """Return the map of a scan as NIfTI, with the scan's shape and affine; 0 where the network saw nothing."""
    volume = volume_of(explanation.samples[0])
    values = np.nan_to_num(explanation.in_source().float().cpu().numpy())
    return nifti_bytes(values, volume.affine, oriented=volume.oriented, words=words_of(explanation))


def dicom_map(explanation: Explanation, identity: Sequence[Header] = ()) -> bytes:
    """Return the map of a scan as a DICOM Parametric Map; `identity` are headers of whom it is to name."""
    volume = volume_of(explanation.samples[0])
    values = explanation.in_source().float().cpu().numpy()
    return map_bytes(values, volume, words=words_of(explanation), identity=identity)


def words_of(explanation: Explanation) -> str:
    """Return what a map is, in one line."""
    return f"seewhy {explanation.method.title}: {explanation.targets[0]}"
