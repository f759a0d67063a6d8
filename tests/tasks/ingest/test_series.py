"""Volumes have the values and the place that the files give them; everything doubtful is refused with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
import SimpleITK

from storage.errors import CaseError
from tasks.ingest.series import ReadSeries, read_series

SHAPE = (5, 4, 6)
UNDECODABLE = ("JPEGProcess10", "JPEGProcess6")
VALUES = np.add.outer(100 * np.arange(5), np.add.outer(10 * np.arange(4), np.arange(6))).astype(np.float32)


def same_geometry(read: ReadSeries, image: SimpleITK.Image, tolerance_mm: float) -> None:
    volume = read.volume
    np.testing.assert_allclose(volume.spacing_mm, image.GetSpacing()[::-1], atol=tolerance_mm)
    np.testing.assert_allclose(volume.origin_mm, image.GetOrigin(), atol=tolerance_mm)
    np.testing.assert_allclose(volume.direction, np.reshape(image.GetDirection(), (3, 3))[:, ::-1], atol=1e-6)


def gdcm(folder: Path) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


# What is right


def test_a_series_becomes_a_volume_with_its_values_and_place(tmp_path: Path, write_series) -> None:
    paths = write_series(tmp_path)
    read = read_series(paths)
    np.testing.assert_array_equal(read.volume.array, VALUES)
    assert read.volume.array.dtype == np.float32
    assert read.volume.spacing_mm == (2.0, 1.5, 0.5)
    assert read.volume.origin_mm == (-10.0, 20.0, 30.0)
    assert read.volume.direction == ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    assert (read.modality, read.unit, read.volume.unit) == ("CT", "HU", "HU")
    assert [uid.rsplit(".", 1)[1] for uid in read.instance_uids] == ["1", "2", "3", "4", "5"]


def test_the_order_of_files_changes_nothing(tmp_path: Path, write_series) -> None:
    paths = write_series(tmp_path)
    one = read_series(paths)
    for seed in range(3):
        other = read_series([paths[i] for i in np.random.default_rng(seed).permutation(len(paths))])
        np.testing.assert_array_equal(one.volume.array, other.volume.array)
        assert one.instance_uids == other.instance_uids
        assert one.volume.origin_mm == other.volume.origin_mm
        assert one.facts == other.facts


def test_each_slice_has_its_own_slope_and_intercept(tmp_path: Path, write_series) -> None:
    change = {k: {"RescaleSlope": 0.1 * (k + 1), "RescaleIntercept": -7 * k} for k in range(5)}
    read = read_series(write_series(tmp_path, modality="PT", change=change))
    expected = VALUES * (0.1 * np.arange(1, 6))[:, None, None] - (7 * np.arange(5))[:, None, None]
    np.testing.assert_allclose(read.volume.array, expected, rtol=1e-6, atol=1e-5)
    assert (read.unit, read.facts["suv_factor"]) == ("SUV", 1.0)


def test_slices_that_march_against_the_normal_are_turned_round(tmp_path: Path, write_series) -> None:
    read = read_series(write_series(tmp_path, step=(0, 0, -2)))
    np.testing.assert_array_equal(read.volume.array, VALUES[::-1])
    assert read.volume.origin_mm == (-10.0, 20.0, 22.0)
    assert read.instance_uids[0].endswith(".5")


def test_an_oblique_series_keeps_every_voxel_where_it_was(tmp_path: Path, write_series) -> None:
    turn, tilt = np.radians(20), np.radians(35)
    row = np.array([np.cos(turn), np.sin(turn), 0])
    column = np.array([-np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), np.sin(tilt)])
    normal = np.cross(row, column)
    orientation = [f"{value:.12f}" for value in (*row, *column)]
    step = [float(f"{value:.9f}") for value in 2 * normal]
    read = read_series(write_series(tmp_path, step=step, ImageOrientationPatient=orientation))
    k, i, j = 3, 2, 5
    corner = np.array([-10.0, 20.0, 30.0]) + k * np.array(step)
    expected = corner + j * 0.5 * row + i * 1.5 * column  # PS3.3 C.7.6.2.1.1
    np.testing.assert_allclose(read.volume.to_world_mm((k, i, j)), expected, atol=1e-6)
    assert read.volume.array[k, i, j] == VALUES[k, i, j]


def test_mr_without_rescale_keeps_its_stored_values(tmp_path: Path, write_series) -> None:
    read = read_series(write_series(tmp_path, modality="MR", RescaleSlope=None, RescaleIntercept=None))
    np.testing.assert_array_equal(read.volume.array, VALUES)
    assert read.unit == "arbitrary"


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even_enough(tmp_path: Path, write_series) -> None:
    change = {k: {"ImagePositionPatient": [0, 0, round(0.625 * k, 1)]} for k in range(30)}
    pixels = np.zeros((30, 3, 3))
    read = read_series(write_series(tmp_path, pixels=pixels, change=change))
    assert read.volume.spacing_mm[0] == pytest.approx(0.625, abs=0.005)


def test_bits_above_those_stored_are_not_part_of_the_value(tmp_path: Path, write_series) -> None:
    bits = {"BitsStored": 12, "HighBit": 11}
    overlay = (VALUES.astype(np.int16) & 0x0FFF) | np.int16(0x4000)
    read = read_series(write_series(tmp_path / "a", pixels=overlay, **bits))
    np.testing.assert_array_equal(read.volume.array, VALUES)
    negative = np.full(SHAPE, -5, dtype=np.int16) & 0x0FFF  # twelve-bit -5, not extended to sixteen
    assert (read_series(write_series(tmp_path / "b", pixels=negative, **bits)).volume.array == -5).all()


def test_facts_tell_about_the_scanner_and_nobody_else(tmp_path: Path, write_series) -> None:
    elements: dict[str, Any] = {"Manufacturer": "ACME", "ConvolutionKernel": "B30", "SliceThickness": 2.5, "KVP": "123"}
    paths = write_series(tmp_path, InstitutionName="SECRET", StationName="SECRET", **elements)
    facts = read_series(paths).facts
    assert facts.items() >= {"manufacturer": "ACME", "kernel": "B30", "slice_thickness_mm": 2.5, "slices": 5}.items()
    assert facts["tube_voltage_kv"] == 123
    assert "SECRET" not in str(facts)
    paths[0].write_bytes(paths[0].read_bytes().replace(b"123 ", b"bad "))
    assert "tube_voltage_kv" not in read_series(paths).facts


@pytest.mark.parametrize("promise", ["NumberOfSlices", "ImagesInAcquisition"])
def test_as_many_slices_as_promised_are_complete(tmp_path: Path, write_series, promise: str) -> None:
    # Scanners write 7 "time slices" for 7 bed positions: the promise is not multiplied by them.
    assert read_series(write_series(tmp_path, **{promise: 5}, NumberOfTimeSlices=7)).volume.shape == SHAPE


# What is wrong

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "missing slice": ({"drop": [2]}, "missing slice: 4.00 mm between slices 2 and 3, elsewhere 2.00 mm"),
    "too few": ({"slices": 2}, "2 slices; expected at least 3"),
    "irregular": (
        {"change": {4: {"ImagePositionPatient": [-10, 20, 37.0]}}},
        "irregular slice spacing: distances of 1.00 to 2.00 mm",
    ),
    "same place": (
        {"change": {3: {"ImagePositionPatient": [-10, 20, 34]}}},
        "1 slices lie at the same position as another",
    ),
    "all at one place": ({"step": (0, 0, 0)}, "4 slices lie at the same position"),
    "gantry tilt": ({"step": (0, 0.3, 2)}, "gantry tilt: slices drift 1.20 mm sideways"),
    "orientation": (
        {"change": {1: {"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}}},
        "slices of different orientation",
    ),
    "not orthogonal": ({"ImageOrientationPatient": [1, 0, 0, 0.6, 0.8, 0]}, "two unit vectors at right angles"),
    "not unit": ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "two unit vectors at right angles"),
    "pixel spacing": ({"change": {1: {"PixelSpacing": [1.5, 0.6]}}}, "slices of different pixel spacing"),
    "size": (
        {"change": {1: {"Rows": 2, "Columns": 12}}},
        "slices of 2 different sizes",
    ),
    "rescale type": ({"change": {1: {"RescaleType": "HU"}}}, "slices of different Rescale Type"),
    "not HU": ({"RescaleType": "MGML"}, "another Rescale Type than Hounsfield"),
    "no position": ({"change": {2: {"ImagePositionPatient": None}}}, r"no Image Position \(Patient\)"),
    "no orientation": ({"ImageOrientationPatient": None}, r"no Image Orientation \(Patient\)"),
    "no spacing": ({"PixelSpacing": None}, "no Pixel Spacing"),
    "zero spacing": ({"PixelSpacing": [0, 1]}, "Pixel Spacing must be positive"),
    "three positions": ({"ImagePositionPatient": [1, 2]}, "must be 3 finite numbers; it holds 2"),
    "nan": ({"ImagePositionPatient": ["nan", 2, 3]}, "must be 3 finite numbers"),
    "no rescale": ({"RescaleSlope": None}, "no Rescale Slope and Intercept"),
    "zero slope": ({"RescaleSlope": 0}, "Rescale Slope is 0"),
    "truncated": ({"change": {2: {"PixelData": bytes(40)}}}, "truncated pixel data: 40 of 48 bytes"),
    "excess": ({"change": {2: {"PixelData": bytes(96)}}}, "96 bytes of pixel data; expected 48"),
    "no pixels": ({"change": {2: {"PixelData": None}}}, "no pixel data"),
    "multi-frame": ({"NumberOfFrames": 5, "PixelData": bytes(240)}, "multi-frame"),
    "colour": ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour image"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour image"),
    "high bit": ({"HighBit": 14}, "High Bit is 14; expected 15"),
    "bits": ({"BitsAllocated": 24}, "expected 8, 16 or 32 allocated"),
    "other modality": ({"Modality": "US"}, "modality must be one of CT, PT, MR"),
    "mixed modality": ({"change": {1: {"Modality": "MR"}}}, "the same on all slices"),
    "two series": ({"change": {1: {"SeriesInstanceUID": "1.2.3"}}}, "files of several series"),
    "promised": ({"NumberOfSlices": 6}, r"incomplete: 5 slices, the header promises 6 \(Number of Slices\)"),
    "lost at the end": ({"drop": [4], "ImagesInAcquisition": 5}, "incomplete: 4 slices, the header promises 5"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_series_is_refused_with_its_reason(tmp_path: Path, write_series, fault: str) -> None:
    options, reason = FAULTS[fault]
    paths = write_series(tmp_path, **options)
    with pytest.raises(CaseError, match=reason) as caught:
        read_series(paths)
    assert not any(secret in str(caught.value) for secret in ("SECRET", "patient 1", str(tmp_path), "1.2.826"))
    assert caught.value.__cause__ is None


def test_a_study_may_ask_for_more_slices(tmp_path: Path, write_series) -> None:
    with pytest.raises(CaseError, match="5 slices; expected at least 6"):
        read_series(write_series(tmp_path), minimum_slices=6)


@pytest.mark.parametrize("keep", [60, 200, 400, 700])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, write_series, keep: int) -> None:
    paths = write_series(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes()[:keep])
    with pytest.raises(CaseError):
        read_series(paths)


def test_a_file_that_is_gone_is_no_verdict_on_the_data(tmp_path: Path, write_series) -> None:
    paths = write_series(tmp_path)
    paths[1].unlink()
    with pytest.raises(FileNotFoundError):
        read_series(paths)


def test_damaged_bytes_give_a_case_error_or_a_volume(tmp_path: Path, write_series) -> None:
    paths = write_series(tmp_path)
    original = paths[2].read_bytes()
    rng = np.random.default_rng(11)
    reasons, shapes = [], set()
    for _ in range(300):
        data = bytearray(original)
        for place in rng.integers(132, len(data), size=rng.integers(1, 8)):
            data[place : place + 1] = rng.bytes(1)
        paths[2].write_bytes(data)
        try:
            shapes.add(read_series(paths).volume.shape)
        except CaseError as error:
            reasons.append(str(error))
    assert shapes == {SHAPE}
    assert len(reasons) > 100
    assert not any("SECRET" in reason for reason in reasons)


# What hospitals and test suites really send


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("gantrytilting/001", "gantry tilt"),
        ("notavolume/001", "3 slices lie at the same position"),
        ("slicecount/001", "2 slices; expected at least 3"),
        ("sliceincrement/001", "missing slice: 10.00 mm between slices 3 and 4, elsewhere 5.00 mm"),
        ("sliceincrement/002", "missing slice: 1.50 mm between slices 3 and 4, elsewhere 0.75 mm"),
        ("sliceorientation/001", "different orientation"),
    ],
)
def test_dicom2nifti_failing_series_are_refused_for_what_they_are(real_data: Path, folder: str, reason: str) -> None:
    files = sorted((real_data / "dicom_edge" / "dicom2nifti" / "failing" / folder).iterdir())
    with pytest.raises(CaseError, match=reason):
        read_series(files)


@pytest.mark.parametrize(
    "name", ["compressed", "compressed_j2k", "compressed_jpeg", "compressed_jpegls", "compressed_rle"]
)
def test_compressed_series_equal_what_gdcm_reads(real_data: Path, name: str) -> None:
    folder = real_data / "dicom_edge" / "dicom2nifti" / "generic" / name / "001"
    read, image = read_series(sorted(folder.iterdir())), gdcm(folder)
    np.testing.assert_array_equal(read.volume.array, SimpleITK.GetArrayFromImage(image))
    same_geometry(read, image, 1e-9)


def test_all_encodings_of_one_picture_read_alike(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "dicom_edge" / "cornerstone" / "testImages"
    arrays: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("CTImage.dcm_*")):
        dataset = pydicom.dcmread(path)
        copies = []
        for k in range(3):
            dataset.ImagePositionPatient = [0, 0, 3 * k]
            copies.append(tmp_path / f"{k}.dcm")
            dataset.save_as(copies[-1])
        name = path.name.split("_")[1]
        if name in UNDECODABLE:
            with pytest.raises(CaseError, match="pixel data cannot be decoded, transfer syntax JPEG"):
                read_series(copies)
        else:
            arrays[name] = read_series(copies).volume.array[0]
    reference = arrays.pop("LittleEndianExplicitTransferSyntax")
    assert {name for name, array in arrays.items() if np.array_equal(array, reference)} >= {
        "LittleEndianImplicitTransferSyntax",
        "BigEndianExplicitTransferSyntax",
        "DeflatedExplicitVRLittleEndianTransferSyntax",
        "RLELosslessTransferSyntax",
        "JPEGLSLosslessTransferSyntax",
        "JPEG2000LosslessOnlyTransferSyntax",
        "JPEGProcess14SV1TransferSyntax",
        "JPEGProcess14TransferSyntax",
    }


@pytest.mark.parametrize("patient", ["STS_001", "STS_002", "STS_003"])
@pytest.mark.parametrize("image", ["PET", "CT", "MR_T1"])
def test_the_sarcoma_images_equal_their_nifti_copies(real_data: Path, patient: str, image: str) -> None:
    read = read_series(sorted((real_data / "sts" / "dicom" / patient / image / "image").iterdir()))
    copy = SimpleITK.ReadImage(str(real_data / "sts" / "nifti" / patient / f"{image}_image.nii.gz"))
    array = SimpleITK.GetArrayFromImage(copy)
    if image == "PET":
        np.testing.assert_allclose(read.volume.array, array, rtol=2e-7)
    else:
        np.testing.assert_array_equal(read.volume.array, array)
    same_geometry(read, copy, 1e-4)
    assert read.unit == {"PET": "SUV", "CT": "HU", "MR_T1": "arbitrary"}[image]


@pytest.mark.parametrize(
    "folder",
    [
        "lidc0314/dicom",
        "ibsi/ibsi_1_ct_radiomics_phantom/dicom/image",
        "dicom_edge/dcmqi/data/segmentations/ct-3slice",
    ],
)
def test_ct_series_equal_what_gdcm_reads(real_data: Path, folder: str) -> None:
    read, image = read_series(sorted((real_data / folder).iterdir())), gdcm(real_data / folder)
    np.testing.assert_array_equal(read.volume.array, SimpleITK.GetArrayFromImage(image))
    same_geometry(read, image, 1e-9)


@pytest.mark.slow
def test_all_24_sarcoma_pets_are_read_as_suv(real_data: Path) -> None:
    for folder in sorted((real_data / "sts" / "dicom").iterdir()):
        read = read_series(sorted((folder / "PET" / "image").iterdir()))
        assert read.unit == "SUV"
        assert 1 < float(read.volume.array.max()) < 200


def _every_file_alone(real_data: Path) -> list[Path]:
    return sorted(path for path in (real_data / "dicom_edge").rglob("*") if path.is_file())


def test_no_malformed_file_gives_anything_but_a_case_error(real_data: Path) -> None:
    for path in _every_file_alone(real_data):
        with pytest.raises(CaseError):
            read_series([path])


@pytest.mark.slow
def test_no_file_of_pydicoms_test_suite_gives_anything_but_a_case_error() -> None:
    folder = Path(pydicom.data.__file__).parent / "test_files"
    read: Callable[[list[Path]], ReadSeries] = read_series
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with pytest.raises(CaseError):
            read([path])
