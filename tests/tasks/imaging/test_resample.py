"""Resampling: nothing moves, nothing is invented, and what is too fine for a grid is smoothed before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from storage.volume import IDENTITY_DIRECTION, Triple, Volume
from tasks.imaging.resample import from_itk, resample_onto, resample_to_spacing, to_itk

RNG = np.random.default_rng(0)
GRADIENT = np.array([0.7, -1.3, 2.1])
"""Intensity per mm along L, P and S."""


def turned(degrees_z: float, degrees_x: float) -> tuple[Triple, Triple, Triple]:
    """The axial direction turned about the patient's long axis, then about his left-right axis."""
    a, b = np.deg2rad([degrees_z, degrees_x])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    x, y, z = (tuple(float(v) for v in row) for row in about_x @ about_z @ np.asarray(IDENTITY_DIRECTION))
    return x, y, z  # type: ignore[return-value]


OBLIQUE = turned(30, 20)
LEFT_HANDED = ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def volume(array: npt.NDArray[Any], spacing_mm: Triple = (3.0, 2.0, 1.5), direction: Any = OBLIQUE) -> Volume:
    return Volume(array, spacing_mm, (-80.5, 12.25, 1000.0), direction, "HU")


def ramp(grid: Volume) -> npt.NDArray[np.float64]:
    """An intensity that rises evenly through the room, at the voxel centres of a grid."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    return 5.0 + (grid.to_world_mm(index) - grid.to_world_mm((np.array(grid.shape) - 1) / 2)) @ GRADIENT


def centre(grid: Volume) -> npt.NDArray[np.floating[Any]]:
    return grid.to_world_mm((np.array(grid.shape) - 1) / 2)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_the_same_spacing_changes_nothing(interpolation: Any) -> None:
    image = volume(RNG.integers(-1000, 3000, (6, 7, 8)).astype(np.int16))
    same = resample_to_spacing(image, (3.0, 2.0, 1.5), interpolation=interpolation)
    assert same.array.dtype == np.float32
    assert np.array_equal(same.array, image.array)
    assert (same.spacing_mm, same.origin_mm, same.direction, same.unit) == (
        image.spacing_mm,
        image.origin_mm,
        image.direction,
        "HU",
    )


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (5.0, 5.0, 5.0), (1.3, 4.7, 1.5)])
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_a_constant_stays_constant_up_to_the_faces(spacing_mm: Triple, interpolation: Any) -> None:
    result = resample_to_spacing(volume(np.full((6, 9, 12), 37.5)), spacing_mm, interpolation=interpolation)
    assert np.allclose(result.array, 37.5, atol=1e-4)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (4.5, 4.0, 3.0), (1.3, 4.7, 1.5)])
@pytest.mark.parametrize(("interpolation", "edge_mm", "error"), [("linear", 12.0, 1e-3), ("cubic", 24.0, 0.02)])
def test_a_ramp_stays_the_same_ramp_inside(
    spacing_mm: Triple, interpolation: Any, edge_mm: float, error: float
) -> None:
    grid = volume(np.zeros((24, 32, 40)))
    result = resample_to_spacing(grid.with_array(ramp(grid)), spacing_mm, interpolation=interpolation)
    inner = tuple(slice(int(np.ceil(edge_mm / s)), -int(np.ceil(edge_mm / s))) for s in result.spacing_mm)
    assert result.array[inner].size > 50
    assert np.abs(result.array - ramp(result))[inner].max() < error


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (5.0, 5.0, 5.0), (3.0, 2.0, 7.0)])
@pytest.mark.parametrize("direction", [IDENTITY_DIRECTION, OBLIQUE, LEFT_HANDED])
def test_the_new_grid_has_the_centre_and_the_directions_of_the_old_one(spacing_mm: Triple, direction: Any) -> None:
    image = volume(np.ones((7, 9, 11)), direction=direction)
    result = resample_to_spacing(image, spacing_mm)
    assert np.allclose(centre(result), centre(image), atol=1e-9)
    assert np.allclose(result.direction, direction, atol=1e-12)
    assert result.spacing_mm == spacing_mm
    assert result.unit == "HU"


def test_there_are_as_many_voxels_as_cover_the_old_field() -> None:
    image = volume(np.ones((7, 9, 11)), spacing_mm=(3.0, 2.0, 1.5))  # 21, 18 and 16.5 mm
    assert resample_to_spacing(image, (2.0, 2.0, 2.0)).shape == (11, 9, 9)
    assert resample_to_spacing(image, (21.0, 9.0, 5.5)).shape == (1, 2, 3)
    assert resample_to_spacing(image, (100.0, 100.0, 100.0)).shape == (1, 1, 1)


def test_rounding_alone_makes_no_voxel() -> None:
    assert 43 * 3.27 / 3.27 > 43
    assert 3 * 0.9 / 0.3 > 9
    image = volume(np.ones((3, 3, 43)), spacing_mm=(0.9, 1.0, 3.27))
    assert resample_to_spacing(image, (0.3, 1.0, 3.27)).shape == (9, 3, 43)


def test_two_voxels_become_four_by_hand() -> None:
    image = Volume(np.array([[[0.0, 8.0]]]), (1.0, 1.0, 2.0))
    result = resample_to_spacing(image, (1.0, 1.0, 1.0))
    assert result.array.ravel().tolist() == [0.0, 2.0, 6.0, 8.0]  # centres at -0.5, 0.5, 1.5 and 2.5 mm
    assert result.origin_mm == (-0.5, 0.0, 0.0)


def test_a_ball_stays_where_it_was_in_the_patient() -> None:
    grid = volume(np.zeros((30, 40, 50)))
    place = np.array(grid.to_world_mm((14.3, 21.6, 23.2)))

    def ball(on: Volume) -> npt.NDArray[np.float64]:
        index = np.moveaxis(np.indices(on.shape), 0, -1)
        return np.exp(-((on.to_world_mm(index) - place) ** 2).sum(axis=-1) / (2 * 8.0**2))

    for spacing_mm in ((2.0, 2.0, 2.0), (6.0, 5.0, 4.0)):
        result = resample_to_spacing(grid.with_array(ball(grid)), spacing_mm)
        weights = result.array / result.array.sum()
        index = np.moveaxis(np.indices(result.shape), 0, -1)
        assert np.linalg.norm((result.to_world_mm(index) * weights[..., None]).sum(axis=(0, 1, 2)) - place) < 0.05


def test_stripes_too_fine_for_the_new_grid_become_their_mean() -> None:
    stripes = np.where(np.arange(64) % 2, 1.0, -1.0) * np.ones((8, 8, 1)) + 10.0
    coarse = resample_to_spacing(Volume(stripes, (1.0, 1.0, 1.0)), (1.0, 1.0, 3.0))
    assert coarse.shape == (8, 8, 22)
    assert np.abs(coarse.array[..., 2:-2] - 10.0).max() < 0.02  # without smoothing: 1


def test_an_axis_that_does_not_become_coarser_is_not_smoothed() -> None:
    stripes = np.where(np.arange(16) % 2, 1.0, -1.0) * np.ones((8, 30, 1))
    coarse = resample_to_spacing(Volume(stripes, (1.0, 1.0, 1.0)), (1.0, 3.0, 1.0))
    assert np.allclose(coarse.array, stripes[:, :10], atol=1e-6)


def test_a_ramp_is_read_exactly_on_a_grid_that_lies_askew() -> None:
    source = volume(np.zeros((40, 50, 60)))
    x, y, z = centre(source)
    grid = Volume(np.zeros((6, 7, 8)), (2.5, 2.0, 3.0), (float(x) - 10, float(y) - 8, float(z) - 9), turned(-15, 40))
    result = resample_onto(source.with_array(ramp(source)), grid, interpolation="linear")
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    assert np.allclose(result.array, 5.0 + (grid.to_world_mm(index) - centre(source)) @ GRADIENT, atol=1e-3)
    assert np.allclose(result.affine, grid.affine)
    assert result.unit == "HU"


def test_outside_of_the_image_there_is_what_was_asked_for() -> None:
    image = Volume(np.full((4, 4, 4), 7.0), (1.0, 1.0, 1.0))
    grid = Volume(np.zeros((4, 4, 8)), (1.0, 1.0, 1.0))
    beside = resample_onto(image, grid, interpolation="linear", outside=-1024.0).array
    assert np.array_equal(beside[..., :4], np.full((4, 4, 4), 7.0))
    assert np.array_equal(beside[..., 4:], np.full((4, 4, 4), -1024.0))
    assert not resample_onto(image, Volume(grid.array, (1.0, 1.0, 1.0), (0.0, 0.0, 50.0))).array.any()


def test_labels_stay_labels() -> None:
    labels = volume(RNG.integers(0, 500, (10, 12, 14)).astype(np.uint16))
    grid = Volume(np.zeros((9, 9, 9)), (3.1, 2.7, 1.1), labels.origin_mm, turned(33, 18))
    result = resample_onto(labels, grid)
    assert result.array.dtype == np.uint16
    assert set(np.unique(result.array)) <= {0, *np.unique(labels.array)}
    assert len(np.unique(result.array)) > 10


def test_a_mask_of_whole_coarse_voxels_goes_to_the_coarse_grid_and_back_unchanged() -> None:
    grid = volume(np.zeros((12, 16, 20)), spacing_mm=(1.0, 1.0, 1.0))
    mask = np.zeros(grid.shape, np.uint8)
    mask[4:8, 6:12, 10:16] = 1
    coarse_grid = resample_to_spacing(grid, (2.0, 2.0, 2.0))
    coarse = resample_onto(grid.with_array(mask), coarse_grid)
    expected = np.zeros((6, 8, 10), np.uint8)
    expected[2:4, 3:6, 5:8] = 1
    assert np.array_equal(coarse.array, expected)
    back = resample_onto(coarse, grid)
    assert np.array_equal(back.array, mask)
    assert coarse.array.sum() * coarse.voxel_ml == pytest.approx(back.array.sum() * back.voxel_ml)


@pytest.mark.parametrize(("interpolation", "dtype"), [("nearest", np.int16), ("linear", np.float32)])
def test_the_type_depends_on_the_interpolation_even_on_the_same_grid(interpolation: Any, dtype: type) -> None:
    image = volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    for grid in (image, volume(np.zeros((2, 3, 4)), direction=turned(30.5, 20))):
        assert resample_onto(image, grid, interpolation=interpolation).array.dtype == dtype
    assert np.array_equal(resample_onto(image, image, interpolation=interpolation).array, image.array)


@pytest.mark.parametrize("direction", [IDENTITY_DIRECTION, OBLIQUE, LEFT_HANDED])
def test_simpleitk_and_we_agree_where_a_voxel_lies(direction: Any) -> None:
    image = volume(RNG.normal(size=(4, 5, 6)).astype(np.float32), direction=direction)
    itk = to_itk(image)
    z, y, x = 3, 1, 4
    assert np.allclose(itk.TransformIndexToPhysicalPoint((x, y, z)), image.to_world_mm((z, y, x)))
    assert itk[x, y, z] == image.array[z, y, x]
    back = from_itk(itk, unit="HU")
    assert np.array_equal(back.array, image.array)
    assert np.allclose(back.affine, image.affine)
    assert back.unit == "HU"


def test_what_comes_in_is_not_changed() -> None:
    array = RNG.normal(size=(6, 6, 6)).astype(np.float32)
    image = volume(array.copy())
    resample_to_spacing(image, (5.0, 5.0, 5.0))
    resample_onto(image, volume(np.zeros((3, 3, 3)), spacing_mm=(2.0, 2.0, 2.0)), interpolation="linear")
    assert np.array_equal(image.array, array)
