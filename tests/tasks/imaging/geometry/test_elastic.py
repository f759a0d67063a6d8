"""Warps: smooth, repeatable, folded nowhere, and undone by their inverse."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError
from scipy import ndimage
from scipy.interpolate import BSpline

from tasks.imaging.chunked import apply_chunked
from tasks.imaging.geometry.elastic import Settings, Warp, inverse_displacement
from tasks.imaging.step import apply_step

RNG = np.random.default_rng(0)
SPACING = (2.0, 1.0, 1.5)
IMAGE = ndimage.gaussian_filter(RNG.normal(size=(24, 40, 32)), 2.5) * 100


def grid_mm(shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> npt.NDArray[np.float64]:
    return np.asarray(np.indices(shape).reshape(len(shape), -1) * np.asarray(spacing_mm)[:, None])


def warp(**more: Any) -> Warp:
    return Warp.random((24, 40, 32), **{"spacing_mm": SPACING, "control_mm": 12.0, "max_mm": 4.8, "seed": 3, **more})


def test_the_field_is_the_b_spline_of_its_vectors() -> None:
    field = warp()
    field.vectors[...] = field.vectors[:, 1:2, 1:2]  # the same for all z and y
    x = np.array([0.0, 5.0, 15.0, 40.0])
    expected = np.zeros(4)
    for k, vector in enumerate(field.vectors[2, 0, 0]):
        basis = BSpline.basis_element((np.arange(5) + k - 3) * 12.0, extrapolate=False)
        expected += vector * np.nan_to_num(basis(x))
    assert np.allclose(field.at(np.stack([np.zeros(4), np.zeros(4), x]))[2], expected)


def test_a_regular_grid_of_points_has_the_same_displacements() -> None:
    sides = [np.arange(n) * s for n, s in zip((24, 40, 32), SPACING, strict=True)]
    assert np.allclose(warp().on_grid(*sides).reshape(3, -1), warp().at(grid_mm((24, 40, 32), SPACING)))


def test_no_displacement_is_longer_than_allowed() -> None:
    vectors = warp().at(grid_mm((24, 40, 32), SPACING))
    length = np.linalg.norm(vectors, axis=0)
    assert 1.0 < length.max() <= 4.8


def test_the_longest_allowed_displacements_fold_nowhere() -> None:
    points = grid_mm((24, 40, 32), SPACING)
    for seed in range(5):
        moved = (points + warp(seed=seed).at(points)).reshape(3, 24, 40, 32)
        gradient = np.stack([np.stack(list(np.gradient(axis, *SPACING))) for axis in moved])
        determinant = np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1)))
        assert 0.1 < determinant.min() < 0.9
        assert determinant.max() > 1.1


def test_the_inverse_of_a_constant_and_of_a_stretch_are_known() -> None:
    points = np.array([[0.0, 10.0, 30.0]])
    assert np.allclose(inverse_displacement(lambda p: np.full_like(p, 2.0), points), -2.0)
    assert np.allclose(inverse_displacement(lambda p: 0.25 * p, points), -0.2 * points, atol=1e-5)


def test_a_field_that_folds_has_no_inverse() -> None:
    with pytest.raises(ValueError, match="the field cannot be inverted"):
        inverse_displacement(lambda p: -1.5 * p, np.array([[1.0]]))


def test_there_and_back_again_is_where_one_began() -> None:
    field = warp()
    points = grid_mm((24, 40, 32), SPACING)
    there = points + inverse_displacement(field.at, points)
    assert np.abs(there + field.at(there) - points).max() < 1e-5


def test_an_image_that_is_warped_and_unwarped_is_the_same_inside() -> None:
    settings: dict[str, Any] = {"control_mm": 16.0, "max_mm": 6.4, "seed": 1, "interpolation": "cubic"}
    bent = apply_step(Settings(**settings), IMAGE, SPACING)
    back = apply_step(Settings(**settings, inverse=True), bent, SPACING)
    inner = (slice(6, -6),) * 3
    assert np.abs(bent - IMAGE)[inner].max() > 2.0
    assert np.abs(back - IMAGE)[inner].max() < 0.1


def test_the_seed_decides_and_nothing_else() -> None:
    one, same, other = (apply_step(Settings(seed=seed), IMAGE, SPACING) for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_blocks_are_bent_as_the_whole_is(interpolation: Any, inverse: bool) -> None:
    step = Settings(control_mm=12.0, max_mm=3.0, interpolation=interpolation, inverse=inverse)
    image = np.tile(IMAGE, (2, 1, 1))
    blocks = apply_chunked(step, da.from_array(image, chunks=(17, 21, 32)), SPACING)
    assert np.abs(blocks.compute() - apply_step(step, image, SPACING)).max() < 1e-5 * np.abs(image).max()


def test_a_mask_bends_with_its_image() -> None:
    step = Settings(seed=2, control_mm=20.0, max_mm=6.0)
    mask = (IMAGE > 0).astype(np.uint8) * 3
    followed = apply_step(step.for_masks(), mask, SPACING)
    assert followed.dtype == np.uint8
    assert set(np.unique(followed)) == {0, 3}
    bent = apply_step(step, IMAGE, SPACING)
    assert ((followed > 0) == (bent > 0))[np.abs(bent) > 5].all()


def test_no_displacement_changes_nothing() -> None:
    colour = RNG.integers(0, 255, (20, 24, 3)).astype(np.uint8)
    assert np.array_equal(apply_step(Settings(max_mm=0), colour, (1.0, 1.0)), colour)


def test_what_would_fold_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"expected max_mm of at most 0.4 times control_mm, 8, so that nothing"):
        Settings(control_mm=20.0, max_mm=8.5)
