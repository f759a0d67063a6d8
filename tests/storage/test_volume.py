"""Geometry by hand, and volumes that come back from disk as they went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.errors import StoreError
from storage.ome_zarr import read_volume, write_volume
from storage.volume import Volume


def oblique() -> Volume:
    angle = np.deg2rad(30)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    direction = rotation @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    rows = tuple(tuple(float(v) for v in row) for row in direction)
    array = np.random.default_rng(0).normal(size=(70, 65, 40)).astype(np.float32)
    return Volume(array, (3.0, 0.7, 0.9), (-12.5, 40.25, 1000.125), rows, "HU")  # type: ignore[arg-type]


def test_an_axial_volume_counts_x_to_the_left_y_to_the_back_z_to_the_head() -> None:
    volume = Volume(np.zeros((4, 5, 6)), (3.0, 2.0, 1.0), (10.0, 20.0, 30.0))
    assert volume.to_world_mm([0, 0, 0]).tolist() == [10, 20, 30]
    assert volume.to_world_mm([1, 1, 1]).tolist() == [11, 22, 33]
    assert volume.voxel_ml == pytest.approx(0.006)


def test_index_and_world_are_inverse_in_an_oblique_volume() -> None:
    index = np.array([[0, 0, 0], [1.5, 2.25, 3], [69, 64, 39]])
    volume = oblique()
    assert np.allclose(volume.to_index(volume.to_world_mm(index)), index)


def test_a_crop_leaves_voxels_where_they_are() -> None:
    volume = oblique()
    cropped = volume.crop((10, 20, 5), (30, 60, 25))
    assert cropped.shape == (20, 40, 20)
    assert np.allclose(cropped.to_world_mm([3, 4, 5]), volume.to_world_mm([13, 24, 10]))
    assert cropped.array[3, 4, 5] == volume.array[13, 24, 10]


@pytest.mark.parametrize(("start", "stop"), [((0, 0, 0), (71, 1, 1)), ((5, 0, 0), (5, 1, 1)), ((-1, 0, 0), (1, 1, 1))])
def test_a_crop_outside_is_refused(start: tuple[int, int, int], stop: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        oblique().crop(start, stop)


def test_a_geometry_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Volume(np.zeros((1, 1, 1)), (0.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="orthonormal"):
        Volume(np.zeros((1, 1, 1)), (1.0, 1.0, 1.0), direction=((1, 1, 0), (0, 1, 0), (0, 0, 1)))
    with pytest.raises(ValueError, match="3 axes"):
        Volume(np.zeros((1, 1)), (1.0, 1.0, 1.0))


def test_an_oblique_volume_comes_back_exactly(tmp_path: Path) -> None:
    volume = oblique()
    write_volume(tmp_path / "image.zarr", volume)
    back = read_volume(tmp_path / "image.zarr")
    assert back.array.dtype == volume.array.dtype
    assert np.array_equal(back.array, volume.array)
    assert (back.spacing_mm, back.origin_mm, back.direction, back.unit) == (
        volume.spacing_mm,
        volume.origin_mm,
        volume.direction,
        volume.unit,
    )


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    from storage.artifacts import checksums

    for name in ("one", "two"):
        write_volume(tmp_path / name, oblique())
    assert checksums(tmp_path / "one") == checksums(tmp_path / "two")


def test_something_else_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a volume"):
        read_volume(tmp_path / "nothing.zarr")
