"""Small DICOM series and structure sets, written to be read or broken; all values are chosen by the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, PositronEmissionTomographyImageStorage

STORAGE = {"CT": CTImageStorage, "PT": PositronEmissionTomographyImageStorage, "MR": MRImageStorage}
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
ROOT = "1.2.826.0.1.3680043.10.999"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

Write = Callable[..., list[Path]]


def _dataset(sop_class: str, sop_uid: str, elements: dict[str, Any]) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = sop_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


@pytest.fixture(scope="session")
def write_series() -> Write:
    """Write a series: ``write_series(folder, modality="CT", slices=5, change={2: {"PixelSpacing": [1, 2]}}, …)``.

    Slice k shows ``100 * k + 10 * row + column`` (or `pixels`), lies 2 mm above slice k - 1, and has pixels of
    1.5 × 0.5 mm. Any element can be set for all slices by keyword, or for some by `change`; ``None`` leaves it out.
    `drop` leaves files out.
    """

    def write(
        folder: Path,
        *,
        modality: str = "CT",
        slices: int = 5,
        pixels: np.ndarray | None = None,
        study: int = 1,
        series: int = 1,
        change: dict[int, dict[str, Any]] | None = None,
        drop: Sequence[int] = (),
        step: Sequence[float] = (0.0, 0.0, 2.0),
        origin: Sequence[float] = (-10.0, 20.0, 30.0),
        name: str = "{:03d}.dcm",
        **elements: Any,
    ) -> list[Path]:
        if pixels is None:
            pixels = np.add.outer(100 * np.arange(slices), np.add.outer(10 * np.arange(4), np.arange(6)))
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for k, stored in enumerate(np.asarray(pixels).astype(np.int16)):
            uid = f"{ROOT}.{study}.{series}.{k + 1}"
            values: dict[str, Any] = {
                "SOPClassUID": STORAGE[modality],
                "SOPInstanceUID": uid,
                "Modality": modality,
                "SeriesDescription": f"{modality} series {series}",
                "PatientID": f"patient {study}",
                "PatientName": "SECRET^NAME",
                "StudyInstanceUID": f"{ROOT}.{study}",
                "SeriesInstanceUID": f"{ROOT}.{study}.{series}",
                "FrameOfReferenceUID": f"{ROOT}.{study}.999",
                "ImagePositionPatient": [a + k * b for a, b in zip(origin, step, strict=True)],
                "ImageOrientationPatient": list(AXIAL),
                "PixelSpacing": [1.5, 0.5],
                "RescaleSlope": 1,
                "RescaleIntercept": 0,
                "SamplesPerPixel": 1,
                "PhotometricInterpretation": "MONOCHROME2",
                "Rows": stored.shape[0],
                "Columns": stored.shape[1],
                "BitsAllocated": 16,
                "BitsStored": 16,
                "HighBit": 15,
                "PixelRepresentation": 1,
                "PixelData": stored.tobytes(),
            }
            if modality == "PT":
                values |= {"Units": "GML", "CorrectedImage": ["ATTN", "DECY"], "DecayCorrection": "START"}
            values |= elements | (change or {}).get(k, {})
            if k not in drop:
                path = folder / name.format(k)
                _dataset(values["SOPClassUID"], uid, values).save_as(path)
                paths.append(path)
        return paths

    return write


@pytest.fixture(scope="session")
def write_structure_set() -> Callable[..., Path]:
    """Write a structure set: ``write_structure_set(path, {"tumour": [points, …]}, study=1, refers_to=1, …)``."""

    def write(
        path: Path,
        rois: dict[str, Sequence[Any]],
        *,
        study: int = 1,
        series: int = 50,
        refers_to: int | None = 1,
        kind: str = "CLOSED_PLANAR",
        **elements: Any,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        structures, drawn = [], []
        for number, (name, contours) in enumerate(rois.items(), start=1):
            structure = Dataset()
            structure.ROINumber, structure.ROIName = number, name
            structures.append(structure)
            roi = Dataset()
            roi.ReferencedROINumber = number
            roi.ContourSequence = []
            for points in contours:
                contour = Dataset()
                contour.ContourGeometricType = kind
                contour.NumberOfContourPoints = len(points)
                contour.ContourData = [f"{value:.9g}" for value in np.ravel(points)]
                roi.ContourSequence.append(contour)
            drawn.append(roi)
        frame = Dataset()
        frame.FrameOfReferenceUID = f"{ROOT}.{study}.999"
        if refers_to is not None:
            referenced = Dataset()
            referenced.SeriesInstanceUID = f"{ROOT}.{study}.{refers_to}"
            referenced_study = Dataset()
            referenced_study.RTReferencedSeriesSequence = [referenced]
            frame.RTReferencedStudySequence = [referenced_study]
        values = {
            "SOPClassUID": STRUCTURES,
            "SOPInstanceUID": f"{ROOT}.{study}.{series}.1",
            "Modality": "RTSTRUCT",
            "PatientID": f"patient {study}",
            "StudyInstanceUID": f"{ROOT}.{study}",
            "SeriesInstanceUID": f"{ROOT}.{study}.{series}",
            "StructureSetDate": "20200101",
            "StructureSetTime": "120000",
            "ReferencedFrameOfReferenceSequence": [frame],
            "StructureSetROISequence": structures,
            "ROIContourSequence": drawn,
        } | elements
        _dataset(STRUCTURES, values["SOPInstanceUID"], values).save_as(path)
        return path

    return write
