"""Image files: what is whole is read, what is cut short is refused, and grids are compared by place."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.image_file import check_same_grid, read_image_file
from tasks.imaging.resample import to_itk

VOLUME = Volume(
    np.random.default_rng(0).normal(size=(9, 10, 11)).astype(np.float32), (3.0, 2.0, 1.5), (10.0, -20.0, 30.0)
)


@pytest.fixture(params=["image.nii", "image.nii.gz", "image.mha"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    sitk.WriteImage(to_itk(VOLUME), str(tmp_path / request.param))
    return tmp_path / str(request.param)


def test_voxels_and_geometry_are_those_that_were_written(file: Path) -> None:
    found = read_image_file(file, "image", unit="HU")
    assert np.array_equal(found.array, VOLUME.array)
    assert np.allclose(found.affine, VOLUME.affine, atol=1e-4)
    assert found.unit == "HU"


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_file_that_ends_before_its_last_voxel_is_refused(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    sitk.WriteImage(to_itk(VOLUME), str(path))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CaseError, match="the image is cut short or damaged"):
        read_image_file(path, "image")


def test_a_damaged_byte_is_noticed_by_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    sitk.WriteImage(to_itk(VOLUME), str(path))
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(CaseError, match="damaged"):
        read_image_file(path, "image")


@pytest.mark.parametrize("content", [b"", b"no image", bytes(2000), gzip.compress(b"no image", mtime=0)])
@pytest.mark.parametrize("name", ["JANE_DOE.nii.gz", "JANE_DOE.nii"])
def test_what_is_no_image_is_refused_without_the_name_of_the_file(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CaseError) as caught:
        read_image_file(tmp_path / name, "label map")
    assert str(caught.value).startswith("the label map is")
    assert "JANE" not in str(caught.value)


def test_a_picture_and_a_series_of_volumes_are_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5), np.uint8)), str(tmp_path / "flat.nii"))
    sitk.WriteImage(sitk.Image([4, 5, 6, 2], sitk.sitkUInt8), str(tmp_path / "series.nii"))
    for name, axes in (("flat.nii", 2), ("series.nii", 4)):
        with pytest.raises(CaseError, match=f"{axes} axes and 1 values a voxel; expected 3 and 1"):
            read_image_file(tmp_path / name, "image")


def test_grids_are_one_where_their_corners_are() -> None:
    check_same_grid(VOLUME, VOLUME)
    beside = Volume(VOLUME.array, VOLUME.spacing_mm, (10.5, -20.0, 30.0))
    with pytest.raises(CaseError, match=r"up to 0\.5 mm beside"):
        check_same_grid(beside, VOLUME)
    with pytest.raises(CaseError, match="voxels"):
        check_same_grid(VOLUME.crop((0, 0, 0), (3, 3, 3)), VOLUME)
