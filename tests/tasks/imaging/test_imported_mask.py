"""Masks of other tools on the grid of an image: DICOM SEG by hand and from dcmqi, label images, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.uid import ExplicitVRLittleEndian

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.dicom_seg import is_dicom, read_segmentation
from tasks.imaging.imported_mask import read_mask
from tasks.imaging.resample import from_itk, to_itk

SPACING = (3.0, 2.0, 1.0)
ORIGIN = (-10.0, 20.0, 5.0)
SEG_UID = "1.2.840.10008.5.1.4.1.1.66.4"


def grid(shape: tuple[int, int, int] = (5, 8, 16)) -> Volume:
    return Volume(np.zeros(shape, np.int16), SPACING, ORIGIN, unit="HU")


def masks() -> tuple[np.ndarray, np.ndarray]:
    """Two segments that overlap; the first is in slices 1, 3 and 4."""
    one, two = np.zeros((2, 5, 8, 16), np.uint8)
    one[1, 2:5, 3:9] = one[3, 2:4, 3:9] = one[4, 3, 4:6] = 1
    two[1, 3:6, 5:12] = 1
    return one, two


def group(**elements: Any) -> list[Dataset]:
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return [item]


def write_seg(
    path: Path, *, gap_mm: float = 3.0, modality: str = "SEG", only: tuple[int, ...] = (0, 1, 2, 3, 4)
) -> Path:
    """A SEG of :func:`masks`, frames in no order, empty ones left out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SEG_UID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality, dataset.SegmentationType, dataset.FrameOfReferenceUID = modality, "BINARY", "1.2.3.4"
    dataset.SegmentSequence = [group(SegmentNumber=n, SegmentLabel=name)[0] for n, name in ((1, "Liver"), (2, "Cyst"))]
    dataset.SharedFunctionalGroupsSequence = group(
        PixelMeasuresSequence=group(PixelSpacing=[2.0, 1.0], SliceThickness=3.0),
        PlaneOrientationSequence=group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    )
    frames, planes = [], []
    for number, mask in zip((2, 1), masks()[::-1], strict=True):
        for k in [k for k in reversed(only) if mask[k].any()]:
            position = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + gap_mm * float(k) + (0.5 if gap_mm != 3.0 and k == 3 else 0)]
            frames += group(
                PlanePositionSequence=group(ImagePositionPatient=position),
                SegmentIdentificationSequence=group(ReferencedSegmentNumber=number),
            )
            planes.append(mask[k])
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = len(planes), 8, 16
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PixelData = pack_bits(np.stack(planes))
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def write_labels(path: Path, volume: Volume, **metadata: str) -> Path:
    image = to_itk(volume)
    for key, value in metadata.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    return path


def test_segments_that_overlap_and_skip_slices_are_read_each_by_itself(tmp_path: Path) -> None:
    path = write_seg(tmp_path / "seg.dcm")
    assert is_dicom(path)
    segmentation = read_segmentation(path)
    assert segmentation.names == {1: "Liver", 2: "Cyst"}
    one, two = masks()
    assert np.array_equal(read_mask(path, grid(), labels=["liver"]), one > 0)
    assert np.array_equal(read_mask(path, grid(), labels=[2]), two > 0)
    assert np.array_equal(read_mask(path, grid()), (one | two) > 0)


def test_a_label_that_is_not_there_is_named_with_the_choices(tmp_path: Path) -> None:
    path = write_seg(tmp_path / "seg.dcm")
    with pytest.raises(CaseError, match=r"no label 'spleen'; it has 1 \(Liver\), 2 \(Cyst\)"):
        read_mask(path, grid(), labels=["spleen"])
    with pytest.raises(CaseError, match="no label 7"):
        read_mask(path, grid(), labels=[7])


def test_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    path = write_seg(tmp_path / "seg.dcm")
    assert read_mask(path, grid(), frame_uid="1.2.3.4").any()
    with pytest.raises(CaseError, match="another frame of reference"):
        read_mask(path, grid(), frame_uid="1.2.9")


def test_frames_off_the_grid_and_other_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no regular grid"):
        read_mask(write_seg(tmp_path / "uneven.dcm", gap_mm=2.9), grid())
    with pytest.raises(CaseError, match="expected a DICOM segmentation"):
        read_mask(write_seg(tmp_path / "ct.dcm", modality="CT"), grid())


def test_a_segment_in_every_other_slice_leaves_those_between_empty(tmp_path: Path) -> None:
    path = write_seg(tmp_path / "seg.dcm", only=(1, 3))
    found = read_mask(path, grid(), labels=[1])
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [1, 3]


def test_a_damaged_file_is_refused_without_naming_it(tmp_path: Path) -> None:
    path = tmp_path / "secret.dcm"
    path.write_bytes(write_seg(tmp_path / "seg.dcm").read_bytes()[:900])
    with pytest.raises(CaseError, match="cannot be read") as error:
        read_mask(path, grid())
    assert "secret" not in str(error.value)
    other = tmp_path / "secret.nii.gz"
    other.write_bytes(b"no image")
    with pytest.raises(CaseError, match="cannot be read") as error:
        read_mask(other, grid())
    assert "secret" not in str(error.value)
    with pytest.raises(CaseError, match="was not found"):
        read_mask(tmp_path / "absent.nii", grid())


def test_a_mask_that_is_cut_short_is_refused_and_not_read_as_a_smaller_one(tmp_path: Path) -> None:
    whole = write_labels(tmp_path / "mask.nii", grid().with_array(masks()[0])).read_bytes()
    for name, content in (("cut.nii", whole[:-100]), ("cut.nii.gz", gzip.compress(whole)[:-20])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CaseError, match="the imported mask is cut short or damaged"):
            read_mask(tmp_path / name, grid())


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_labels_on_the_images_grid_come_back_as_they_are(tmp_path: Path, suffix: str) -> None:
    one, two = masks()
    path = write_labels(tmp_path / f"mask.{suffix}", grid().with_array(one + 4 * two))
    assert np.array_equal(read_mask(path, grid()), (one | two) > 0)
    assert np.array_equal(read_mask(path, grid(), labels=[4, 5]), two > 0)
    with pytest.raises(CaseError, match="numbers only"):
        read_mask(path, grid(), labels=["liver"])


def test_slicers_names_of_labels_are_known(tmp_path: Path) -> None:
    one, two = masks()
    names = {"Segment0_Name": "Liver", "Segment0_LabelValue": "1", "Segment1_Name": "Cyst", "Segment1_LabelValue": "4"}
    path = write_labels(tmp_path / "mask.seg.nrrd", grid().with_array(one + 4 * two * (1 - one)), **names)
    assert np.array_equal(read_mask(path, grid(), labels=["LIVER"]), one > 0)


def test_a_mask_on_another_grid_is_brought_over_by_its_position(tmp_path: Path) -> None:
    """The same box on voxels half as large, stored in another order of axes."""
    fine = Volume(np.zeros((10, 16, 32), np.uint8), (1.5, 1.0, 0.5), (-10.25, 19.5, 4.25))
    fine.array[2:8, 4:10, 6:18] = 1
    stored = sitk.DICOMOrient(to_itk(fine), "RSA")
    sitk.WriteImage(stored, str(tmp_path / "mask.nii.gz"))
    assert from_itk(stored).shape != fine.shape
    expected = np.zeros((5, 8, 16), bool)
    expected[1:4, 2:5, 3:9] = True
    assert np.array_equal(read_mask(tmp_path / "mask.nii.gz", grid()), expected)


def test_a_mask_of_another_place_or_without_voxels_is_refused(tmp_path: Path) -> None:
    one, _ = masks()
    away = Volume(one, SPACING, (ORIGIN[0] + 12.0, *ORIGIN[1:]))
    with pytest.raises(CaseError, match=r"only \d+ % of the imported mask lies within the image"):
        read_mask(write_labels(tmp_path / "away.nii", away), grid())
    with pytest.raises(CaseError, match="the imported mask is empty"):
        read_mask(write_labels(tmp_path / "empty.nii", away.with_array(0 * one)), grid())


def test_dcmqis_segmentations_equal_their_label_images(real_data: Path) -> None:
    folder = real_data / "dicom_edge" / "dcmqi" / "data" / "segmentations"
    truth = from_itk(sitk.ReadImage(str(folder / "liver_seg.nrrd")))
    assert np.array_equal(read_mask(folder / "liver.dcm", truth, labels=["Liver"]), truth.array > 0)
    for n in (1, 2, 3):
        labels = from_itk(sitk.ReadImage(str(folder / f"partial_overlaps-{n}.nrrd")))
        for number in np.unique(labels.array)[1:]:
            found = read_mask(folder / "partial_overlaps.dcm", labels, labels=[int(number)])
            assert np.array_equal(found, labels.array == number)


def test_dcmqis_sparse_label_map_has_no_segment_for_its_background(real_data: Path) -> None:
    folder = real_data / "dicom_edge" / "dcmqi" / "data" / "segmentations"
    segmentation = read_segmentation(folder / "sparse-labelmap-noppv.dcm")
    assert segmentation.names == {1: "Liver"}
    assert segmentation.mask(1).array.sum() == 630
