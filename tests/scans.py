"""Scans whose truth is known: a bright ball of stated size at a stated place in the patient, in any orientation, as NIfTI and as DICOM."""

import itertools

import numpy as np
import torch
from torch import nn

CENTRE, RADIUS = np.array([22.0, -15.0, 12.0]), 13.0
"""Of the ball, in RAS millimetres: in the patient's right, posterior, superior octant; and its radius."""
SIDES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
ORIENTATIONS = [
    "".join(letters) for axes in itertools.permutations(("RL", "AP", "SI")) for letters in itertools.product(*axes)
]
"""All 48."""
IDENTITY = {
    "PatientName": "Zwetschge^Xaverine",
    "PatientID": "PID7781234",
    "PatientBirthDate": "19510203",
    "PatientSex": "F",
    "PatientAge": "073Y",
    "InstitutionName": "Saint Elsewhere Infirmary",
    "ReferringPhysicianName": "Quincy^Medical",
    "OperatorsName": "Operatrix^Ada",
    "StudyDate": "20240117",
    "StudyTime": "081533",
    "StudyDescription": "Follow up of the secret finding",
    "SeriesDescription": "seriestext77",
    "AccessionNumber": "ACC99812",
    "StudyID": "STUD4711",
    "StationName": "STATION66",
    "DeviceSerialNumber": "SERIAL8899",
}


def affine_of(orientation, shape, spacing):
    """Return the affine of a grid whose middle lies at the origin and whose axes increase to the named sides."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (letter, step) in enumerate(zip(orientation, spacing, strict=True)):
        row, sign = SIDES[letter]
        affine[row, axis] = sign * step
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def planted(orientation="SPL", steps=None, field=96.0, centre=CENTRE, radius=RADIUS):
    """Return values and affine of a scan of about 96 mm each way, 1000 in the ball and 0 elsewhere, with faint noise.

    Steps are per side of the patient (across, front to back, up), so that the voxels are the same in every orientation.
    """
    steps = steps or (2.0, 2.4, 4.0)
    spacing = tuple(steps[SIDES[letter][0]] for letter in orientation)
    shape = tuple(round(field / step) for step in spacing)
    affine = affine_of(orientation, shape, spacing)
    places = np.stack(np.meshgrid(*(np.arange(cells) for cells in shape), indexing="ij"), axis=-1)
    there = places @ affine[:3, :3].T + affine[:3, 3]
    inside = np.linalg.norm(there - centre, axis=-1) < radius
    noise = np.random.default_rng(0).normal(0, 10, shape)
    return (1000.0 * inside + noise).astype(np.float32), affine


class BallNet(nn.Module):
    """Takes (b, 1, d, h, w): logit 0 is the mass of bright voxels, logit 1 that of dark ones."""

    def __init__(self):
        super().__init__()
        self.detect, self.relu = nn.Conv3d(1, 2, 3, padding=1), nn.ReLU()
        self.pool, self.head = nn.AvgPool3d(2), nn.Linear(2, 2)
        with torch.no_grad():
            self.detect.weight[0], self.detect.weight[1] = 1 / 27, -1 / 27
            self.detect.bias.fill_(-0.1)
            self.head.weight.copy_(100 * torch.eye(2))
            self.head.bias.zero_()

    def forward(self, scans):
        return self.head(self.pool(self.relu(self.detect(scans))).mean(dim=(2, 3, 4)))


def write_nifti(path, orientation="RAS", **how):
    import nibabel

    values, affine = planted(orientation, **how)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def write_series(folder, *, count=None, shuffle=True, change=None, whose=True, orientation="SPL"):
    """Write a DICOM series of the planted scan, whose file names say nothing of the order; `change(data set, slice)` may change a file, or leave it out by returning False."""
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    values, affine = planted(orientation)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    folder.mkdir(parents=True, exist_ok=True)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    depth = len(values) if count is None else count
    names = np.random.default_rng(3).permutation(depth) if shuffle else np.arange(depth)
    for number in range(depth):
        made = pydicom.dataset.Dataset()
        made.file_meta = pydicom.dataset.FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
        made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = study, series, frame
        for name, value in (IDENTITY if whose else {}).items():
            setattr(made, name, value)
        made.Modality = "CT"
        made.Rows, made.Columns = values.shape[1:]
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
        made.RescaleSlope, made.RescaleIntercept = 1, -24
        made.WindowCenter, made.WindowWidth = 500, 1000
        made.PixelSpacing = [float(spacing[1]), float(spacing[2])]
        made.SliceThickness = float(spacing[0])
        made.ImageOrientationPatient = [*(lps[:3, 2] / spacing[2]).tolist(), *(lps[:3, 1] / spacing[1]).tolist()]
        made.ImagePositionPatient = [round(float(place), 6) for place in (lps @ [number, 0, 0, 1])[:3]]
        made.InstanceNumber = int(names[number])
        made.PixelData = (np.round(values[number]) + 24).astype("<i2").tobytes()
        if change is not None and change(made, number) is False:
            continue
        pydicom.dcmwrite(folder / f"im{names[number]:03d}.dcm", made, enforce_file_format=True)
    return folder
