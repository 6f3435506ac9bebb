"""Write a map as DICOM: the values at a volume's voxels as a Parametric Map, or a picture as a Secondary Capture."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from seewhy.core.volume import Volume
from seewhy.data.dicom_file import Header, library
from seewhy.data.identity import KEPT
from seewhy.version import __version__

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def map_bytes(
    values: Float[np.ndarray, "d h w"], volume: Volume, *, words: str, identity: Sequence[Header] = ()
) -> bytes:
    """Return a map as a Parametric Map (DICOM PS3.3, A.75): 32-bit floating point, one frame for each slice, where the source lies.

    The file has a study, a series and a frame of reference of its own, and nothing that says whose it is.

    Args:
        values: at the volume's voxels; NaN where the network saw nothing becomes 0, as viewers know no NaN.
        volume: the source.
        words: what the map is, at most 64 characters.
        identity: headers of the source's slices; given, the map is filed with their study, and says whose it is.
    """
    made = _begun(PARAMETRIC_MAP, words, identity)
    depth, height, width = values.shape
    made.Modality = "OT"
    made.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    made.Rows, made.Columns, made.NumberOfFrames = height, width, depth
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = 32
    made.FloatPixelData = np.ascontiguousarray(np.nan_to_num(values), dtype="<f4").tobytes()
    made.PresentationLUTShape, made.ContentQualification = "IDENTITY", "RESEARCH"
    made.ContentLabel, made.ContentDescription = "SEEWHY", words[:64]
    made.LossyImageCompression, made.BurnedInAnnotation, made.RecognizableVisualFeatures = "00", "NO", "NO"
    made.PositionReferenceIndicator = ""
    made.AcquisitionContextSequence = []
    _geometry(made, volume)
    return _written(made)


def picture_bytes(
    picture: Image.Image, *, words: str, spacing: tuple[float, float] | None, identity: Sequence[Header] = ()
) -> bytes:
    """Return a picture as a Secondary Capture in colour (DICOM PS3.3, A.8.1), derived; see `map_bytes` of whose it says it is.

    Args:
        picture: what is shown.
        words: what it is, at most 64 characters.
        spacing: millimetres from pixel to pixel, down and across, where they are known.
        identity: the source's header.
    """
    made = _begun(SECONDARY_CAPTURE, words, identity)
    pixels = np.asarray(picture.convert("RGB"))
    made.Modality, made.ConversionType = "OT", "WSD"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    if spacing is not None:
        made.PixelSpacing = [_decimal(value) for value in spacing]
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    return _written(made)


def _begun(kind: str, words: str, identity: Sequence[Header]) -> Any:
    """Return a data set with what every file has: new identifiers, a study of nobody, or of whom the headers name."""
    pydicom = library()
    new = pydicom.uid.generate_uid
    made = pydicom.dataset.Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID = kind, new(), new()
    made.StudyInstanceUID, made.FrameOfReferenceUID = new(), new()
    for name in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
    ):
        setattr(made, name, "")
    made.ReferringPhysicianName = ""
    made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", "nothing of the source's header was taken over"
    if identity:
        _identified(made, identity)
    made.SeriesDescription, made.SeriesNumber, made.InstanceNumber = words[:64], 9001, 1
    made.Manufacturer, made.ManufacturerModelName, made.SoftwareVersions = "seewhy", "seewhy", __version__
    made.DeviceSerialNumber = "none"
    made.DerivationDescription = (
        f"{words[:64]}; evidence of a neural network, not a segmentation and no basis for a diagnosis"
    )
    return made


def _identified(made: Any, identity: Sequence[Header]) -> None:
    """Say whose the map is, and of which images it was made."""
    pydicom = library()
    for name in KEPT:
        if name in identity[0]:
            setattr(made, name, identity[0].get(name))
    del made.DeidentificationMethod
    made.PatientIdentityRemoved = "NO"
    now = datetime.now().astimezone()
    made.ContentDate, made.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    sources = []
    for head in identity:
        source = pydicom.dataset.Dataset()
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = head.SOPClassUID, head.SOPInstanceUID
        sources.append(source)
    made.SourceImageSequence = sources


def _geometry(made: Any, volume: Volume) -> None:
    """Say where each frame lies, in DICOM's coordinates (left, back, head)."""
    pydicom = library()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    gap, down, across = volume.spacing
    one = pydicom.dataset.Dataset
    measures, plane, value = one(), one(), one()
    measures.PixelSpacing = [_decimal(down), _decimal(across)]
    measures.SliceThickness = measures.SpacingBetweenSlices = _decimal(gap)
    plane.ImageOrientationPatient = [
        _decimal(number) for number in [*(affine[:3, 2] / across).tolist(), *(affine[:3, 1] / down).tolist()]
    ]
    value.LUTLabel, value.LUTExplanation = "EVIDENCE", "evidence for the answer"
    value.DoubleFloatRealWorldValueFirstValueMapped = float(np.finfo(np.float32).min)
    value.DoubleFloatRealWorldValueLastValueMapped = float(np.finfo(np.float32).max)
    value.RealWorldValueSlope, value.RealWorldValueIntercept = 1.0, 0.0
    value.MeasurementUnitsCodeSequence = [_code("1", "UCUM", "no units")]
    shared = one()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    shared.RealWorldValueMappingSequence = [value]
    kind = one()
    kind.FrameType = made.ImageType
    shared.ParametricMapFrameTypeSequence = [kind]
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = [
        _frame(affine @ np.array([number, 0, 0, 1.0]), number) for number in range(int(made.NumberOfFrames))
    ]
    organized, index = one(), one()
    organized.DimensionOrganizationUID = pydicom.uid.generate_uid()
    made.DimensionOrganizationSequence = [organized]
    index.DimensionOrganizationUID = organized.DimensionOrganizationUID
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x00200032, 0x00209113  # position, plane position
    made.DimensionIndexSequence = [index]


def _frame(place: Float[np.ndarray, "4"], number: int) -> Any:
    one = library().dataset.Dataset
    position, content, made = one(), one(), one()
    position.ImagePositionPatient = [_decimal(value) for value in place[:3].tolist()]
    content.DimensionIndexValues = [number + 1]
    made.PlanePositionSequence, made.FrameContentSequence = [position], [content]
    return made


def _code(value: str, scheme: str, meaning: str) -> Any:
    made = library().dataset.Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def _decimal(value: float) -> str:
    """Return a number as a decimal string of at most 16 characters."""
    return str(library().valuerep.format_number_as_ds(float(value)))


def _written(made: Any) -> bytes:
    pydicom = library()
    buffer = BytesIO()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()
