"""The cohort: reproducible, varied, and free of hints in names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from skimage.draw import polygon2mask

from tasks.phantom.cohort import NODULE_COUNTS, write_cohort, write_patient


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    return folder, write_cohort(folder, patients=4, size="small")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its relative path."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_none_of_them(tmp_path, cohort):
    folder, _ = cohort
    write_patient(tmp_path / "again", 2, size="small")
    write_patient(tmp_path / "other", 2, size="small", seed=1)
    again, other = digests(tmp_path / "again"), digests(tmp_path / "other")
    assert again
    assert again.items() <= digests(folder).items()
    assert not set(again.values()) & set(other.values())


def test_a_patient_does_not_depend_on_how_many_there_are(tmp_path, cohort):
    folder, patients = cohort
    two = write_cohort(tmp_path, patients=2, size="small")
    assert digests(tmp_path).items() <= digests(folder).items()
    assert [p.nodules for p in two] == [p.nodules for p in patients[:2]]


def test_exactly_one_of_the_first_three_and_three_of_twelve_have_no_nodule(cohort):
    _, patients = cohort
    assert sum(not p.nodules for p in patients[:3]) == 1
    assert sum(count == 0 for count in NODULE_COUNTS) == 3
    assert len(NODULE_COUNTS) == 12
    assert [len(p.nodules) for p in patients] == list(NODULE_COUNTS[:4])


def test_spacing_differs_between_patients(cohort):
    _, patients = cohort
    assert len({p.spacing_mm for p in patients}) == 4
    assert len({p.spacing_mm[0] for p in patients}) > 1


def test_names_give_no_hint_of_order_or_patient(cohort):
    folder, patients = cohort
    for patient in patients:
        names = [f.name for f in patient.slice_files]
        assert names != sorted(names)
        assert len({f.parent for f in patient.slice_files}) > 3
        for path in (*patient.slice_files, patient.rtstruct_file):
            assert path.is_file()
            relative = str(path.relative_to(folder)).upper()
            assert not any(text.upper() in relative for text in patient.identifiers)


def test_instance_numbers_do_not_always_follow_position(tmp_path):
    rising = []
    for number in range(4):
        patient = write_patient(tmp_path, number, size="small")
        numbers = [int(pydicom.dcmread(f, stop_before_pixels=True).InstanceNumber) for f in patient.slice_files]
        assert sorted(numbers) == list(range(1, 33))
        rising.append(numbers == sorted(numbers))
    assert not all(rising)


def test_every_file_names_its_own_patient_only(cohort):
    _, patients = cohort
    assert len({p.patient_id for p in patients}) == len({p.study_uid for p in patients}) == 4
    for patient in patients:
        for path in (*patient.slice_files, patient.rtstruct_file):
            data = pydicom.dcmread(path, stop_before_pixels=True)
            assert (data.PatientID, data.PatientName) == (patient.patient_id, patient.patient_name)
            assert data.StudyInstanceUID == patient.study_uid


def test_a_negative_patient_was_contoured_and_nothing_found(cohort):
    _, patients = cohort
    negative = next(p for p in patients if not p.nodules)
    assert len(pydicom.dcmread(negative.rtstruct_file).StructureSetROISequence) == 0


def test_contours_filled_on_the_image_grid_have_the_nodules_volume_and_cover_dense_voxels(cohort):
    """A reader that knows nothing of phantoms: GDCM for the image, polygons in pixel coordinates for the contours."""
    _, patients = cohort
    for patient in patients:
        image = SimpleITK.ReadImage([str(f) for f in patient.slice_files])
        hu = SimpleITK.GetArrayFromImage(image)
        rois = pydicom.dcmread(patient.rtstruct_file).ROIContourSequence
        assert len(rois) == len(patient.nodules)
        for roi, nodule in zip(rois, patient.nodules, strict=True):
            mask = np.zeros(hu.shape, bool)
            for contour in roi.ContourSequence:
                points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
                index = np.array([image.TransformPhysicalPointToContinuousIndex(p.tolist()) for p in points])
                assert np.ptp(index[:, 2]) < 1e-3
                mask[round(index[0, 2])] |= polygon2mask(hu.shape[1:], index[:, [1, 0]])
            volume_ml = mask.sum() * np.prod(patient.spacing_mm) / 1000.0
            assert volume_ml == pytest.approx(nodule.ellipsoid.volume_ml, rel=0.35)
            assert hu[mask].mean() > -450.0


def test_the_demo_size_is_adult_thin_to_thick_and_within_bounds(tmp_path):
    patient = write_patient(tmp_path, 0)
    z, y, x = patient.shape
    assert 40 <= z <= 110
    assert 160 <= y == x <= 224
    assert 320.0 <= x * patient.spacing_mm[2] <= 380.0
    assert 2.0 <= patient.spacing_mm[0] <= 5.0
    assert all(6.0 <= n.ellipsoid.diameter_mm <= 30.0 for n in patient.nodules)


def test_progress_is_told_after_each_patient(tmp_path):
    told = []
    write_cohort(tmp_path, patients=2, size="small", progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_an_unknown_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="size must be 'demo' or 'small'"):
        write_cohort(tmp_path, size="huge")  # type: ignore[arg-type]
