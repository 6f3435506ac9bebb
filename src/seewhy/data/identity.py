"""What in a DICOM file says whose it is, and how to keep it out of names."""

import re
from pathlib import Path
from typing import Any

IDENTIFYING = (
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthDate", "PatientBirthTime", "PatientBirthName",
    "PatientMotherBirthName", "PatientSex", "PatientAge", "PatientAddress", "PatientTelephoneNumbers", "PatientComments",
    "EthnicGroup", "Occupation", "PatientWeight", "PatientSize", "AdditionalPatientHistory", "MedicalRecordLocator", "IssuerOfPatientID",
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName", "DeviceSerialNumber", "DeviceUID",
    "ReferringPhysicianName", "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers", "PerformingPhysicianName",
    "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "RequestingPhysician", "OperatorsName", "AccessionNumber", "StudyID",
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "StudyDate", "SeriesDate", "AcquisitionDate",
    "AcquisitionDateTime", "ContentDate", "StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "StudyDescription",
    "SeriesDescription", "ProtocolName", "RequestedProcedureDescription", "ImageComments", "AdmissionID",
)  # fmt: skip
"""Elements that identify a patient, or may (the basic profile of DICOM PS3.15, annex E): none of them reaches an output unasked."""

KEPT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID",
    "StudyDescription", "AccessionNumber", "ReferringPhysicianName", "InstitutionName", "FrameOfReferenceUID",
)  # fmt: skip
"""Elements that a map takes over where identity is to be kept, so that it is filed with its study."""

_NAMING = (
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientID",
    "OtherPatientIDs",
    "AccessionNumber",
    "PatientBirthDate",
)
_WORD = re.compile(r"[^\W_]{4,}")


def plain_title(path: Path, header: Any) -> str:
    """Return a file's name for people, or "scan" where a part of the patient's name or number is in it."""
    lowered = path.name.lower()
    return "scan" if any(word in lowered for word in naming_words(header)) else path.name


def naming_words(header: Any) -> frozenset[str]:
    """Return the words, in lower case and of at least four letters or figures, of a patient's names and numbers."""
    found: set[str] = set()
    for name in _NAMING:
        found |= set(_WORD.findall(str(header.get(name) or "").lower()))
    return frozenset(found)
