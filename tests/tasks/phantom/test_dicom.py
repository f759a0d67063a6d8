"""CT series and structure sets as other software reads them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.phantom.dicom import Study, write_ct_series
from tasks.phantom.ellipsoid import Ellipsoid
from tasks.phantom.rtstruct import slice_contours, write_rtstruct

STUDY = Study("test", "PHANTOM^KAREN", "MRN-00017")
ROTATION = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]
ROTATION = ROTATION * np.sign(np.linalg.det(ROTATION))
# Columns are the array axes z, y, x; z = x × y is what a reader that sorts along the normal gives back.
OBLIQUE = tuple(tuple(row) for row in np.stack([ROTATION[:, 2], ROTATION[:, 1], ROTATION[:, 0]], axis=1).tolist())
FEET_LAST = tuple(tuple(row) for row in (np.asarray(OBLIQUE) * (-1.0, 1.0, 1.0)).tolist())


@pytest.fixture(autouse=True)
def strict():
    """The standard's rules are errors here, in writing and reading."""
    settings = pydicom.config.settings
    before = settings.writing_validation_mode, settings.reading_validation_mode
    settings.writing_validation_mode = settings.reading_validation_mode = pydicom.config.RAISE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    settings.writing_validation_mode, settings.reading_validation_mode = before


def a_volume(direction=IDENTITY_DIRECTION, shape=(6, 8, 10)) -> Volume:
    hu = np.random.default_rng(0).integers(-1024, 3072, shape).astype(np.int16)
    return Volume(hu, (2.7, 0.81, 1.93), (-12.3456789, 45.678, -678.9), direction, "HU")


def files_in(folder: Path, count: int) -> list[Path]:
    """Names whose alphabetical order is not the order of the slices."""
    return [folder / f"{(k * 5) % 7}" / f"{(k * 37) % 101:03d}" for k in range(count)]


def read_with_gdcm(folder: Path) -> SimpleITK.Image:
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), "", False, True)
    return SimpleITK.ReadImage(names)


@pytest.mark.parametrize("stored", ["signed16", "unsigned12"])
@pytest.mark.parametrize("direction", [IDENTITY_DIRECTION, OBLIQUE, FEET_LAST], ids=["axial", "oblique", "reversed"])
def test_gdcm_reads_back_every_hu_at_its_place(tmp_path, stored, direction):
    volume = a_volume(direction)
    write_ct_series(volume, STUDY, files_in(tmp_path, 6), stored=stored, instance_numbers=[4, 1, 6, 2, 5, 3])
    image = read_with_gdcm(tmp_path)
    hu = SimpleITK.GetArrayFromImage(image)
    assert hu.shape == volume.shape
    for index in np.ndindex(*volume.shape):
        x, y, z = volume.to_world_mm(index)
        i, j, k = np.asarray(image.TransformPhysicalPointToContinuousIndex((float(x), float(y), float(z))))
        assert np.allclose((i, j, k), np.rint((i, j, k)), atol=1e-4)
        assert hu[round(k), round(j), round(i)] == volume.array[index]
    assert image.GetSpacing() == pytest.approx((1.93, 0.81, 2.7))


def test_slices_step_along_the_normal_and_share_study_series_and_frame(tmp_path):
    volume = a_volume(OBLIQUE)
    files = files_in(tmp_path, 6)
    series = write_ct_series(volume, STUDY, files)
    read = [pydicom.dcmread(f) for f in files]
    positions = np.array([d.ImagePositionPatient for d in read], dtype=float)
    row, column = np.array(read[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    assert np.allclose(np.diff(positions, axis=0), 2.7 * np.cross(row, column), atol=1e-8)
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert len({d[name].value for d in read}) == 1
    assert tuple(d.SOPInstanceUID for d in read) == series.sop_uids
    assert len(set(series.sop_uids)) == 6
    assert [float(v) for v in read[0].PixelSpacing] == [0.81, 1.93]
    assert all(pydicom.uid.UID(uid).is_valid for uid in series.sop_uids)
    assert read[0].file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian


def test_hu_that_12_bits_cannot_hold_are_refused(tmp_path):
    volume = a_volume().with_array(np.full((6, 8, 10), 3072, np.int16))
    with pytest.raises(ValueError, match="unsigned12 holds HU from -1024 to 3071"):
        write_ct_series(volume, STUDY, files_in(tmp_path, 6), stored="unsigned12")


def test_fractions_of_hu_are_refused(tmp_path):
    with pytest.raises(ValueError, match="whole HU"):
        write_ct_series(
            a_volume().with_array(np.full((6, 8, 10), 0.5)), STUDY, files_in(tmp_path, 6), stored="unsigned12"
        )


def test_a_missing_file_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected 6 files"):
        write_ct_series(a_volume(), STUDY, files_in(tmp_path, 5))


@pytest.mark.parametrize("direction", [IDENTITY_DIRECTION, OBLIQUE, FEET_LAST], ids=["axial", "oblique", "reversed"])
def test_contours_lie_on_the_nodule_in_the_plane_of_the_slice_they_refer_to(tmp_path, direction):
    volume = Volume(np.zeros((12, 40, 40), np.int16), (2.0, 1.0, 1.0), (10.0, -20.0, 30.0), direction, "HU")
    x, y, z = volume.to_world_mm((5.3, 20.2, 18.7))
    nodule = Ellipsoid((float(x), float(y), float(z)), (6.0, 5.0, 7.0))
    files = files_in(tmp_path, 12)
    series = write_ct_series(volume, STUDY, files)
    write_rtstruct(volume, series, [nodule], tmp_path / "rt")
    images = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, files)}
    contours = pydicom.dcmread(tmp_path / "rt").ROIContourSequence[0].ContourSequence
    assert len(contours) == len(slice_contours(volume, nodule)) > 4
    for contour in contours:
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
        assert contour.NumberOfContourPoints == len(points)
        assert np.allclose(nodule.radius(points), 1.0, atol=1e-6)
        image = images[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        row, column = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
        offset = points - np.array(image.ImagePositionPatient, dtype=float)
        assert np.allclose(offset @ np.cross(row, column), 0.0, atol=1e-6)


def test_a_structure_set_refers_to_frame_study_series_and_every_slice(tmp_path):
    volume = a_volume()
    series = write_ct_series(volume, STUDY, files_in(tmp_path, 6))
    x, y, z = (float(v) for v in volume.to_world_mm((3, 4, 5)))
    write_rtstruct(volume, series, [Ellipsoid((x, y, z), (3.0, 3.0, 3.0))] * 2, tmp_path / "rt")
    data = pydicom.dcmread(tmp_path / "rt")
    frame = data.ReferencedFrameOfReferenceSequence[0]
    of_study = frame.RTReferencedStudySequence[0]
    of_series = of_study.RTReferencedSeriesSequence[0]
    assert frame.FrameOfReferenceUID == series.frame_uid
    assert of_study.ReferencedSOPInstanceUID == STUDY.uid("study")
    assert of_series.SeriesInstanceUID == series.series_uid
    assert tuple(i.ReferencedSOPInstanceUID for i in of_series.ContourImageSequence) == series.sop_uids
    assert [r.ROIName for r in data.StructureSetROISequence] == ["Nodule 1", "Nodule 2"]
    assert {r.ReferencedROINumber for r in data.RTROIObservationsSequence} == {1, 2}


def test_a_structure_set_without_nodules_is_there_and_empty(tmp_path):
    volume = a_volume()
    series = write_ct_series(volume, STUDY, files_in(tmp_path, 6))
    write_rtstruct(volume, series, [], tmp_path / "rt")
    data = pydicom.dcmread(tmp_path / "rt")
    assert data.Modality == "RTSTRUCT"
    assert len(data.StructureSetROISequence) == len(data.ROIContourSequence) == 0
    assert "ReferencedFrameOfReferenceSequence" in data


def test_a_nodule_between_two_slices_is_refused(tmp_path):
    volume = a_volume()
    series = write_ct_series(volume, STUDY, files_in(tmp_path, 6))
    x, y, z = (float(v) for v in volume.to_world_mm((2.5, 4, 5)))
    with pytest.raises(ValueError, match="nodule 1 lies between the slices"):
        write_rtstruct(volume, series, [Ellipsoid((x, y, z), (1.0, 1.0, 1.0))], tmp_path / "rt")
