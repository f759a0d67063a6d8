"""Write nodules as an RT Structure Set (PS3.3 A.19) whose contours are cut from the exact ellipsoids.

A contour is the ellipse in which a slice's centre plane cuts a nodule, in LPS mm. Nothing is rasterized on the way, so
that what a reader makes of the contours can be compared with the truth. A structure set without regions says that
somebody looked and found nothing; a study without a structure set says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, RTStructureSetStorage

from storage.volume import Volume
from tasks.phantom.dicom import CtSeries, add_study, decimals, new_file, save
from tasks.phantom.ellipsoid import Ellipsoid, FloatArray

STUDY_COMPONENT_CLASS = "1.2.840.10008.3.1.2.3.1"
COLOURS = (["255", "64", "64"], ["64", "200", "255"], ["255", "200", "0"])


def slice_contours(volume: Volume, ellipsoid: Ellipsoid, *, points: int = 72) -> list[tuple[int, FloatArray]]:
    """``(slice, (points, 3) LPS mm)`` for every slice plane that cuts the ellipsoid, in the order of the slices."""
    columns = [tuple(row[axis] for row in volume.direction) for axis in range(3)]
    found = []
    for k in range(volume.shape[0]):
        contour = ellipsoid.cross_section(volume.to_world_mm((k, 0, 0)), columns[2], columns[1], points=points)
        if contour is not None:
            found.append((k, contour))
    return found


def write_rtstruct(volume: Volume, series: CtSeries, nodules: Sequence[Ellipsoid], path: Path) -> str:
    """Write one region ``Nodule 1``, ``Nodule 2``, … a nodule, with one CLOSED_PLANAR contour a slice.

    Parameters
    ----------
    volume
        The image on whose slices the contours lie.
    series
        The image's series, as :func:`tasks.phantom.dicom.write_ct_series` returned it.
    nodules
        In LPS mm; may be empty: annotated, and no lesion.
    path
        The file.

    Returns
    -------
    The SOP Instance UID.

    Raises
    ------
    ValueError
        When no slice plane cuts a nodule: it could not be contoured.
    """
    contours = [slice_contours(volume, nodule) for nodule in nodules]
    for number, found in enumerate(contours, start=1):
        if not found:
            raise ValueError(f"nodule {number} lies between the slices; expected one slice at least to cut it")
    study, uid = series.study, series.study.uid("rtstruct")
    data = new_file(RTStructureSetStorage, uid)
    add_study(data, study)
    data.Modality = "RTSTRUCT"
    data.SeriesInstanceUID, data.SeriesNumber = study.uid("rtstruct", "series"), 3
    data.InstanceNumber, data.OperatorsName = 1, "CONTOURER^CARL"
    data.StructureSetLabel, data.StructureSetName = "NODULES", "Nodules"
    data.StructureSetDate, data.StructureSetTime = study.date, study.time
    data.ReferencedFrameOfReferenceSequence = [_frame_reference(series)]
    data.StructureSetROISequence = [_region(series, number) for number in range(1, len(nodules) + 1)]
    data.ROIContourSequence = [_region_contours(series, n, found) for n, found in enumerate(contours, start=1)]
    data.RTROIObservationsSequence = [_observation(number) for number in range(1, len(nodules) + 1)]
    data.ApprovalStatus = "UNAPPROVED"
    save(data, path)
    return uid


def _image_reference(series: CtSeries, k: int) -> Dataset:
    """Slice ``k`` of the series."""
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = series.sop_uids[k]
    return item


def _frame_reference(series: CtSeries) -> Dataset:
    """Frame of reference → study → series → all its images."""
    of_series = Dataset()
    of_series.SeriesInstanceUID = series.series_uid
    of_series.ContourImageSequence = [_image_reference(series, k) for k in range(len(series.sop_uids))]
    of_study = Dataset()
    of_study.ReferencedSOPClassUID = STUDY_COMPONENT_CLASS
    of_study.ReferencedSOPInstanceUID = series.study.uid("study")
    of_study.RTReferencedSeriesSequence = [of_series]
    frame = Dataset()
    frame.FrameOfReferenceUID = series.frame_uid
    frame.RTReferencedStudySequence = [of_study]
    return frame


def _region(series: CtSeries, number: int) -> Dataset:
    """Name of a region."""
    item = Dataset()
    item.ROINumber = number
    item.ReferencedFrameOfReferenceUID = series.frame_uid
    item.ROIName = f"Nodule {number}"
    item.ROIGenerationAlgorithm = "MANUAL"
    return item


def _region_contours(series: CtSeries, number: int, found: list[tuple[int, FloatArray]]) -> Dataset:
    """Contours of a region."""
    item = Dataset()
    item.ROIDisplayColor = COLOURS[(number - 1) % len(COLOURS)]
    item.ReferencedROINumber = number
    item.ContourSequence = []
    for k, points in found:
        contour = Dataset()
        contour.ContourImageSequence = [_image_reference(series, k)]
        contour.ContourGeometricType = "CLOSED_PLANAR"
        contour.NumberOfContourPoints = len(points)
        contour.ContourData = decimals(points)
        item.ContourSequence.append(contour)
    return item


def _observation(number: int) -> Dataset:
    """What kind of thing a region is."""
    item = Dataset()
    item.ObservationNumber = number
    item.ReferencedROINumber = number
    item.RTROIInterpretedType = "GTV"
    item.ROIInterpreter = ""
    return item
