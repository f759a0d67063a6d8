"""Write a volume as a CT series, one DICOM file a slice, as a scanner would send it.

CT Image Storage (PS3.3 A.3), Explicit VR Little Endian, 16 bits allocated. All UIDs are derived from the study's
``seed_text`` and all dates are the study's: the same input gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from storage.volume import Volume

Stored = Literal["signed16", "unsigned12"]

IMPLEMENTATION_UID = generate_uid(entropy_srcs=["lesionflow", "phantom", "implementation"])
IMPLEMENTATION_NAME = "LESIONFLOW"


@dataclass(frozen=True)
class Study:
    """Who was examined and when: fictional, and full of what a de-identifier has to remove.

    Attributes
    ----------
    seed_text
        All UIDs are derived from it.
    patient_name, patient_id, birth_date, sex, institution, referrer, accession
        Patient and order, in DICOM's notation (``FAMILY^GIVEN``, ``YYYYMMDD``).
    date, time
        Of the examination, ``YYYYMMDD`` and ``HHMMSS``.
    """

    seed_text: str
    patient_name: str
    patient_id: str
    birth_date: str = "19500101"
    sex: str = "O"
    institution: str = "ELSEWHERE GENERAL HOSPITAL"
    referrer: str = "REFERRER^RITA"
    accession: str = "ACC-00000"
    date: str = "20200102"
    time: str = "030405"

    def uid(self, *what: str) -> str:
        """The UID of something of this study, e.g. ``uid("series")``."""
        return str(generate_uid(entropy_srcs=["lesionflow-phantom", self.seed_text, *what]))


@dataclass(frozen=True)
class CtSeries:
    """What other objects need to refer to a written series; ``sop_uids`` in the order of the volume's slices."""

    study: Study
    series_uid: str
    frame_uid: str
    sop_uids: tuple[str, ...]


def write_ct_series(
    volume: Volume,
    study: Study,
    files: list[Path],
    *,
    instance_numbers: list[int] | None = None,
    stored: Stored = "signed16",
    thickness_mm: float | None = None,
    name: str = "series",
) -> CtSeries:
    """Write one file a slice.

    Parameters
    ----------
    volume
        Whole HU, any orientation. Rows of the picture run along array axis x, columns along axis y; slices step along
        array axis z, which may run with or against the normal ``row × column``.
    study
        Patient and examination.
    files
        Where slice ``k`` goes; folders are made. Names and order mean nothing to DICOM.
    instance_numbers
        Of slice ``k``; ``None`` counts from 1 in the array's order.
    stored
        ``"signed16"`` with intercept 0 or ``"unsigned12"`` with intercept -1024: both are in use.
    thickness_mm
        SliceThickness where it differs from the distance between slices (overlapping reconstruction).
    name
        Tells several series of one study apart.

    Raises
    ------
    ValueError
        When HU are not whole, do not fit what is stored, or the numbers of files and slices differ.
    """
    slices = volume.shape[0]
    numbers = list(range(1, slices + 1)) if instance_numbers is None else instance_numbers
    if len(files) != slices or len(numbers) != slices:
        raise ValueError(f"expected {slices} files and instance numbers; got {len(files)} and {len(numbers)}")
    pixels = _stored_values(volume.array, stored)
    series = CtSeries(
        study, study.uid(name), study.uid("frame"), tuple(study.uid(name, "slice", str(k)) for k in range(slices))
    )
    data = new_file(CTImageStorage, series.sop_uids[0])
    _add_series(data, series)
    _add_plane(data, volume, thickness_mm or volume.spacing_mm[0])
    _add_encoding(data, volume, stored)
    normal = np.cross(*np.asarray(volume.direction, dtype=float).T[[2, 1]])
    for k, path in enumerate(files):
        position = volume.to_world_mm((k, 0, 0))
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = UID(series.sop_uids[k])
        data.InstanceNumber = numbers[k]
        data.ImagePositionPatient = decimals(position)
        data.SliceLocation = decimals([normal @ position])[0]
        data.PixelData = pixels[k].tobytes()
        save(data, path)
    return series


def new_file(sop_class: str, sop_uid: str) -> FileDataset:
    """An empty instance with its file meta information."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = sop_class
    data.SOPInstanceUID = sop_uid
    return data


def add_study(data: Dataset, study: Study) -> None:
    """Patient, General Study and General Equipment modules."""
    data.PatientName, data.PatientID = study.patient_name, study.patient_id
    data.PatientBirthDate, data.PatientSex = study.birth_date, study.sex
    data.StudyInstanceUID, data.StudyID = study.uid("study"), "1"
    data.StudyDate = data.SeriesDate = data.ContentDate = study.date
    data.StudyTime = data.SeriesTime = data.ContentTime = study.time
    data.StudyDescription = "CT CHEST"
    data.AccessionNumber, data.ReferringPhysicianName = study.accession, study.referrer
    data.InstitutionName = study.institution
    data.Manufacturer, data.ManufacturerModelName = "Lesionflow", "Phantom"


def save(data: FileDataset, path: Path) -> None:
    """Write a file, checked against the standard's rules for value representations."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True, little_endian=True, implicit_vr=False)


def decimals(values: npt.ArrayLike) -> list[str]:
    """Numbers as DICOM decimal strings: as many digits as 16 characters hold."""
    return [format_number_as_ds(float(v) + 0.0) for v in np.asarray(values, dtype=float).ravel()]


def _stored_values(hu: npt.NDArray[Any], stored: Stored) -> npt.NDArray[Any]:
    """HU as they lie in PixelData."""
    if not np.array_equal(hu, np.rint(hu)):
        raise ValueError(f"expected whole HU; got {hu.dtype} with fractions")
    low, high = (-1024, 3071) if stored == "unsigned12" else (-32768, 32767)
    if hu.min() < low or hu.max() > high:
        raise ValueError(f"{stored} holds HU from {low} to {high}; got {hu.min()} to {hu.max()}")
    return (hu + 1024).astype("<u2") if stored == "unsigned12" else hu.astype("<i2")


def _add_series(data: Dataset, series: CtSeries) -> None:
    """General Series, Frame of Reference and CT Image modules."""
    add_study(data, series.study)
    data.Modality = "CT"
    data.SeriesInstanceUID, data.SeriesNumber = series.series_uid, 2
    data.SeriesDescription, data.BodyPartExamined = "CHEST PHANTOM", "CHEST"
    data.PatientPosition = "HFS"
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = series.frame_uid, ""
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.AcquisitionDate, data.AcquisitionTime, data.AcquisitionNumber = series.study.date, series.study.time, 1
    data.KVP, data.ConvolutionKernel = "120", "STANDARD"


def _add_plane(data: Dataset, volume: Volume, thickness_mm: float) -> None:
    """What the slices share of the Image Plane module (PS3.3 C.7.6.2)."""
    direction = np.asarray(volume.direction, dtype=float)
    data.ImageOrientationPatient = decimals([direction[:, 2], direction[:, 1]])
    data.PixelSpacing = decimals(volume.spacing_mm[1:])
    data.SliceThickness = decimals([thickness_mm])[0]


def _add_encoding(data: Dataset, volume: Volume, stored: Stored) -> None:
    """How pixels are stored, rescaled and shown."""
    bits = 12 if stored == "unsigned12" else 16
    _, data.Rows, data.Columns = volume.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, bits, bits - 1
    data.PixelRepresentation = 0 if stored == "unsigned12" else 1
    data.RescaleIntercept, data.RescaleSlope = ("-1024" if stored == "unsigned12" else "0"), "1"
    data.RescaleType = "HU"
    data.WindowCenter, data.WindowWidth = ["40", "-600"], ["400", "1500"]
    data.WindowCenterWidthExplanation = ["MEDIASTINUM", "LUNG"]
