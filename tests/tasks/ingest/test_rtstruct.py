"""Structure sets become label images, right to the voxel on real ones; damaged ones are refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from storage.errors import CaseError
from storage.volume import Volume
from tasks.ingest.rtstruct import Roi, StructureSet, annotation_labels, read_contours
from tasks.ingest.series import read_series

UNIT = Volume(np.zeros((6, 8, 8), np.uint8), (1.0, 1.0, 1.0))


def square(z: float, first: float, last: float) -> np.ndarray:
    return np.array([[first, first, z], [last, first, z], [last, last, z], [first, last, z]])


def test_a_written_structure_set_reads_back(tmp_path: Path, write_structure_set) -> None:
    contours = [square(1, 1.5, 3.5), square(2, 1.123456, 4.5)]
    structures = read_contours(write_structure_set(tmp_path / "rs.dcm", {"GTV": contours, "empty": []}))
    assert [(roi.number, roi.name, len(roi.contours)) for roi in structures.rois] == [(1, "GTV", 2), (2, "empty", 0)]
    for ours, theirs in zip(structures.rois[0].contours, contours, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
    assert structures.series_uids[0].endswith(".1.1")
    assert structures.frame_uids[0].endswith(".999")


def test_each_matching_roi_is_one_lesion_in_the_order_of_their_numbers(tmp_path: Path, write_structure_set) -> None:
    rois = {
        "Body": [square(0, 0, 7)],
        "gtv node": [square(1, 4.5, 6.5)],
        "GTV mass": [square(1, 0.5, 3.5)],
        "GTV empty": [],
    }
    structures = read_contours(write_structure_set(tmp_path / "rs.dcm", rois))
    labels, facts = annotation_labels(structures, UNIT, ["GTV*"])
    assert labels.dtype == np.uint8
    assert labels[1, 5:7, 5:7].tolist() == [[1, 1], [1, 1]]
    assert (labels[1, 1:4, 1:4] == 2).all()
    assert np.bincount(labels.ravel()).tolist() == [6 * 64 - 13, 4, 9]
    assert (facts["rois"], facts["rois_matched"], facts["rois_without_contours"]) == (4, 3, 1)
    assert [lesion["voxels"] for lesion in facts["lesions"]] == [4, 9]


def test_where_lesions_overlap_the_first_wins() -> None:
    structures = StructureSet((Roi(1, "a", (square(2, 0.5, 4.5),)), Roi(2, "b", (square(2, 2.5, 6.5),))))
    labels, facts = annotation_labels(structures, UNIT, ["*"])
    assert np.bincount(labels.ravel())[1:].tolist() == [16, 12]
    assert [lesion["voxels"] for lesion in facts["lesions"]] == [16, 16]


def test_no_name_leaves_with_the_labels() -> None:
    structures = StructureSet((Roi(1, "GTV Jane Doe", (square(2, 0.5, 4.5),)),))
    assert "Jane" not in str(annotation_labels(structures, UNIT, ["*"]).facts)


def test_a_structure_set_without_a_matching_roi_says_that_there_is_no_lesion() -> None:
    labels, facts = annotation_labels(StructureSet((Roi(1, "Heart", (square(2, 1, 4),)),)), UNIT, ["GTV*"])
    assert not labels.any()
    assert (facts["lesions"], facts["rois"]) == ([], 1)


def test_a_lesion_smaller_than_a_voxel_keeps_its_number() -> None:
    rois = (Roi(1, "a", (square(2, 1.2, 1.4),)), Roi(2, "b", (square(2, 2.5, 4.5),)))
    labels, facts = annotation_labels(StructureSet(rois), UNIT, ["*"])
    assert np.unique(labels).tolist() == [0, 2]
    assert [lesion["voxels"] for lesion in facts["lesions"]] == [0, 4]


def test_more_than_255_lesions_need_two_bytes() -> None:
    rois = tuple(Roi(n, "a", (square(n % 6, 0.5, 2.5),)) for n in range(1, 301))
    labels, _ = annotation_labels(StructureSet(rois), UNIT, ["*"])
    assert labels.dtype == np.uint16
    assert labels.max() == 6


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("CLOSED_PLANAR", 1), ("CLOSEDPLANAR_XOR", 1), ("POINT", 0), ("OPEN_PLANAR", 0), ("OPEN_NONPLANAR", 0)],
)
def test_only_closed_contours_enclose_something(tmp_path: Path, write_structure_set, kind: str, kept: int) -> None:
    path = write_structure_set(tmp_path / "rs.dcm", {"a": [square(1, 1, 3), [[0, 0, 0]]]}, kind=kind)
    (roi,) = read_contours(path).rois
    assert (len(roi.contours), roi.left_out) == (kept, 2 - kept)


def test_contours_far_from_the_image_are_refused() -> None:
    structures = StructureSet((Roi(1, "a", (square(80, 1, 4),)), Roi(2, "b", (square(2, 101, 104),))))
    with pytest.raises(CaseError, match="all contours lie outside of the image"):
        annotation_labels(structures, UNIT, ["*"])


def test_an_image_is_no_structure_set(tmp_path: Path, write_series) -> None:
    (path,) = write_series(tmp_path, slices=1)
    with pytest.raises(CaseError, match="expected a structure set"):
        read_contours(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([1, 2, 3, 4], "triples of finite numbers; it holds 4 values"),
        (["1", "2", "nan"], "triples of finite numbers"),
    ],
)
def test_contour_data_that_are_no_points_are_refused(tmp_path: Path, write_structure_set, data, reason) -> None:
    path = write_structure_set(tmp_path / "rs.dcm", {"Jane Doe": [square(1, 1, 3)]})
    dataset = pydicom.dcmread(path)
    dataset.ROIContourSequence[0].ContourSequence[0].ContourData = data
    dataset.save_as(path)
    with pytest.raises(CaseError, match=reason):
        read_contours(path)


def test_contours_of_an_unlisted_roi_are_refused(tmp_path: Path, write_structure_set) -> None:
    path = write_structure_set(tmp_path / "rs.dcm", {"a": [square(1, 1, 3)]}, StructureSetROISequence=[])
    with pytest.raises(CaseError, match="does not list"):
        read_contours(path)


def test_damaged_bytes_give_a_case_error_or_contours(tmp_path: Path, write_structure_set) -> None:
    path = write_structure_set(tmp_path / "rs.dcm", {"Jane Doe": [square(1, 1, 3), square(2, 1, 3)]})
    original = path.read_bytes()
    rng = np.random.default_rng(5)
    reasons = []
    for _ in range(400):
        data = bytearray(original[: rng.integers(200, len(original))] if rng.random() < 0.3 else original)
        for place in rng.integers(132, len(data), size=rng.integers(1, 8)):
            data[place : place + 1] = rng.bytes(1)
        path.write_bytes(data)
        try:
            annotation_labels(read_contours(path), UNIT, ["*"])
        except CaseError as error:
            reasons.append(str(error))
    assert len(reasons) > 100
    assert not any("Jane" in reason for reason in reasons)


@pytest.mark.parametrize("patient", ["STS_001", "STS_002", "STS_003"])
@pytest.mark.parametrize("image", ["PET", "CT", "MR_T1"])
def test_the_nine_sarcoma_masks_are_drawn_voxel_for_voxel(real_data: Path, patient: str, image: str) -> None:
    folder = real_data / "sts" / "dicom" / patient / image
    volume = read_series(sorted((folder / "image").iterdir())).volume
    labels, facts = annotation_labels(read_contours(folder / "mask" / "RS.dcm"), volume, ["GTV_Mass*"])
    reference = SimpleITK.GetArrayFromImage(
        SimpleITK.ReadImage(str(real_data / "sts" / "nifti" / patient / f"{image}_mask.nii.gz"))
    )
    np.testing.assert_array_equal(labels, reference)
    (lesion,) = facts["lesions"]
    assert (lesion["outside"], lesion["clipped"], lesion["between"], lesion["left_out"]) == (0, 0, 0, 0)


def test_the_ibsi_lung_mask_is_drawn_voxel_for_voxel(real_data: Path) -> None:
    folder = real_data / "ibsi" / "ibsi_1_ct_radiomics_phantom"
    volume = read_series(sorted((folder / "dicom" / "image").iterdir())).volume
    (path,) = (folder / "dicom" / "mask").iterdir()
    labels, _ = annotation_labels(read_contours(path), volume, ["*"])
    reference = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "nifti" / "mask" / "mask.nii.gz")))
    np.testing.assert_array_equal(labels, reference)
