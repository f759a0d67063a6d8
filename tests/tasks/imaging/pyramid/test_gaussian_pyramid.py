"""Sizes by the formula, places in mm, weights as scipy has them, and Laplacian levels that add up to the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tasks.imaging.pyramid.formula import Grid, grids
from tasks.imaging.pyramid.gaussian import gaussian_pyramid, reduce, reduced_slabs
from tasks.imaging.pyramid.laplacian import expand, image_of, laplacian_pyramid

WEIGHTS = [0.05, 0.25, 0.4, 0.25, 0.05]


@st.composite
def images(draw: st.DrawFn) -> tuple[npt.NDArray[Any], tuple[float, ...]]:
    axes = draw(st.integers(2, 3))
    shape = tuple(draw(st.integers(1, 14)) for _ in range(axes))
    spacing = tuple(draw(st.sampled_from([0.4, 1.0, 1.3, 5.0])) for _ in range(axes))
    colour = (3,) if draw(st.booleans()) else ()
    values = np.random.default_rng(draw(st.integers(0, 2**20))).integers(0, 255, shape + colour)
    return values.astype(draw(st.sampled_from(["uint8", "int16", "float32", "float64"]))), spacing


def test_a_picture_is_halved_upwards_until_it_fits_into_a_chunk() -> None:
    shapes = [grid.shape for grid in grids((300, 515), (1.0, 1.0))]
    assert shapes == [(300, 515), (150, 258), (75, 129), (38, 65), (19, 33)]


@given(st.integers(1, 5000), st.integers(0, 8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_level_l_has_n_over_2_to_the_l_voxels_rounded_up(n: int, level: int) -> None:
    found = grids((n, n), (0.7, 0.7), levels=level)
    assert found[-1].shape == (-(-n // 2 ** (len(found) - 1)),) * 2
    assert len(found) == level + 1 or found[-1].shape == (1, 1)


def test_thick_slices_are_kept_until_the_voxels_are_isotropic() -> None:
    found = grids((40, 512, 512), (5.0, 1.0, 1.0), levels=3)
    assert found == (
        Grid((40, 512, 512), (5.0, 1.0, 1.0)),
        Grid((40, 256, 256), (5.0, 2.0, 2.0)),
        Grid((40, 128, 128), (5.0, 4.0, 4.0)),
        Grid((20, 64, 64), (10.0, 8.0, 8.0)),
    )


def test_an_axis_of_one_voxel_keeps_its_spacing_and_does_not_hold_up_the_others() -> None:
    assert grids((1, 8, 8), (0.1, 1.0, 1.0), levels=1)[1] == Grid((1, 4, 4), (0.1, 2.0, 2.0))
    assert grids((1, 1), (1.0, 1.0), levels=4) == (Grid((1, 1), (1.0, 1.0)),)


@pytest.mark.parametrize(
    ("shape", "spacing", "levels"),
    [((0, 4), (1.0, 1.0), 1), ((4, 4), (1.0,), 1), ((4, 4), (1.0, 0.0), 1), ((4, 4), (1.0, 1.0), -1)],
)
def test_grids_that_cannot_be_are_refused(shape: tuple[int, ...], spacing: tuple[float, ...], levels: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        grids(shape, spacing, levels=levels)


def test_a_point_becomes_the_weights_at_every_other_place() -> None:
    image = np.zeros((1, 9), dtype=np.uint8)
    image[0, 4] = 100
    assert np.allclose(reduce(image, (1, 5)), [[0, 5, 40, 5, 0]])
    assert np.allclose(expand(np.array([[0.0, 100.0, 0.0]]), (1, 5)), [[20, 50, 80, 50, 20]])


def test_a_ramp_stays_in_its_place_and_a_constant_stays_constant() -> None:
    ramp = np.tile(np.arange(21.0), (4, 1))
    assert np.allclose(reduce(ramp, (4, 11))[:, 1:-1], ramp[:, 2:-2:2])
    assert np.allclose(expand(reduce(ramp, (4, 11)), (4, 21))[:, 4:-4], ramp[:, 4:-4])
    seven = np.full((5, 8, 3), 7, dtype=np.int16)
    for level in gaussian_pyramid(seven, spacing_mm=(1.0, 1.0), until=1):
        assert np.allclose(level, 7, rtol=0, atol=1e-5)


@given(images())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_levels_are_those_of_scipys_correlation(drawn: tuple[npt.NDArray[Any], tuple[float, ...]]) -> None:
    image, spacing = drawn
    axes = len(spacing)
    found = gaussian_pyramid(image, spacing_mm=spacing, levels=3)
    sizes = grids(image.shape[:axes], spacing, levels=3)
    assert [level.shape[:axes] for level in found] == [grid.shape for grid in sizes]
    expected = image.astype(np.float64)
    for before, after, level in zip(sizes[:-1], sizes[1:], found[1:], strict=True):
        for axis in range(axes):
            if before.shape[axis] != after.shape[axis]:
                expected = ndimage.correlate1d(expected, WEIGHTS, axis=axis, mode="mirror")
                expected = expected.take(range(0, before.shape[axis], 2), axis=axis)
        assert level.dtype == (np.float64 if image.dtype == np.float64 else np.float32)
        assert np.allclose(level, expected, rtol=0, atol=1e-4)


@given(images(), st.integers(0, 4))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_laplacian_levels_add_up_to_the_image(drawn: tuple[npt.NDArray[Any], tuple[float, ...]], levels: int) -> None:
    image, spacing = drawn
    before = image.copy()
    parts = laplacian_pyramid(image, spacing_mm=spacing, levels=levels)
    back = image_of(parts)
    assert back.shape == image.shape
    assert back.dtype == (np.float64 if image.dtype == np.float64 else np.float32)
    assert np.allclose(back, before, rtol=0, atol=1e-12 if image.dtype == np.float64 else 1e-4)
    assert np.array_equal(image, before)


def test_a_blob_is_strongest_on_the_level_of_its_size() -> None:
    y, x = np.mgrid[-64:64, -64:64]
    strongest = []
    for sigma in (1.0, 2.0, 4.0, 8.0):
        parts = laplacian_pyramid(np.exp(-(x**2 + y**2) / (2 * sigma**2)), spacing_mm=(1.0, 1.0), levels=5)
        strongest.append(int(np.argmax([np.abs(part).max() for part in parts[:-1]])))
    assert strongest == sorted(strongest)
    assert len(set(strongest)) >= 3


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 1.0, 1.0)])
@pytest.mark.parametrize("depth", [1, 3, 4, 50])
def test_slabs_are_the_level_in_parts(spacing: tuple[float, float, float], depth: int) -> None:
    image = np.random.default_rng(0).integers(-1000, 2000, (13, 10, 7)).astype(np.int16)
    shape = grids(image.shape, spacing, levels=1)[1].shape
    whole, parts = reduce(image, shape), list(reduced_slabs(image, shape, depth=depth))
    assert [place.start for place, _ in parts] == list(range(0, shape[0], depth))
    assert np.array_equal(np.concatenate([part for _, part in parts]), whole)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9])
def test_expanding_is_scipys_correlation_of_voxels_with_zeros_between(n: int) -> None:
    coarse = np.random.default_rng(2).normal(size=(3, -(-n // 2)))
    between = np.zeros((3, n))
    between[:, ::2] = coarse
    expected = 2 * ndimage.correlate1d(between, WEIGHTS, axis=1, mode="mirror") if n > 1 else coarse
    assert np.allclose(expand(coarse, (3, n)), expected)


def test_threads_and_the_order_of_bytes_do_not_change_a_bit() -> None:
    image = np.random.default_rng(1).normal(size=(9, 12, 11)).astype(np.float32)
    expected = reduce(image, (5, 6, 6), threads=1)
    assert np.array_equal(reduce(image, (5, 6, 6), threads=3), expected)
    assert np.array_equal(reduce(np.asfortranarray(image), (5, 6, 6)), expected)
    assert np.array_equal(reduce(image.astype(">f4"), (5, 6, 6)), expected)


def test_a_shape_that_is_not_the_next_level_is_refused() -> None:
    for shape in [(3, 8), (8, 16), (4, 4, 4)]:
        with pytest.raises(ValueError, match="each axis is kept or halved"):
            reduce(np.zeros((8, 8)), shape)
    with pytest.raises(ValueError, match="each axis is kept or halved"):
        expand(np.zeros((4, 4)), (9, 8))
