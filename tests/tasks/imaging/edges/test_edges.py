"""Edges and sharpening: slopes and steps of known size, and what scipy and scikit-image make of the same image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.feature
import skimage.filters
from pydantic import ValidationError
from scipy import ndimage

from tasks.imaging.catalog import step_named
from tasks.imaging.edges.canny import Settings as Canny
from tasks.imaging.edges.emboss import emboss
from tasks.imaging.edges.laplace import laplace
from tasks.imaging.edges.log import log
from tasks.imaging.edges.sobel import sobel
from tasks.imaging.edges.unsharp import unsharp
from tasks.imaging.step import apply_step

Image = npt.NDArray[Any]
RNG = np.random.default_rng(7)
SPACING = (3.0, 0.5, 0.8)
UNIT = {2: (1.0, 1.0), 3: (1.0, 1.0, 1.0)}
SHAPES = [(20, 31), (7, 12, 15)]


def places_mm(shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[Image, ...]:
    """Where voxels lie, counted from the middle."""
    sides = [s * (np.arange(n) - (n - 1) / 2) for n, s in zip(shape, spacing, strict=True)]
    return np.meshgrid(*sides, indexing="ij")


def inside(array: Image, margin: int = 1) -> Image:
    return array[(slice(margin, -margin),) * array.ndim]


def test_sobel_of_a_ramp_is_its_slope_per_mm() -> None:
    z, y, x = places_mm((8, 9, 10), SPACING)
    edges = sobel(2.0 * z + 3.0 * y - 6.0 * x, spacing_mm=SPACING)
    assert np.allclose(inside(edges), 7.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_sobel_is_that_of_scikit_image_but_for_a_factor(shape: tuple[int, ...]) -> None:
    values = RNG.normal(0, 10, shape)
    theirs = skimage.filters.sobel(values) * np.sqrt(len(shape)) / 2
    assert np.allclose(inside(sobel(values, spacing_mm=UNIT[len(shape)])), inside(theirs))


def test_the_laplacian_of_a_paraboloid_is_the_sum_of_its_curvatures() -> None:
    z, y, x = places_mm((8, 9, 10), SPACING)
    assert np.allclose(inside(laplace(z**2 + 2 * y**2 - 0.5 * x**2, spacing_mm=SPACING)), 5.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_laplacian_is_that_of_scipy(shape: tuple[int, ...]) -> None:
    values = RNG.normal(0, 10, shape)
    assert np.allclose(laplace(values, spacing_mm=UNIT[len(shape)]), ndimage.laplace(values))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_laplacian_of_a_gaussian_is_that_of_scipy_times_sigma_squared(shape: tuple[int, ...]) -> None:
    values = RNG.normal(0, 10, shape)
    theirs = 1.5**2 * ndimage.gaussian_laplace(values, 1.5)
    ours = log(values, spacing_mm=UNIT[len(shape)], sigma_mm=1.5)
    assert np.abs(ours - theirs).max() < 0.005 * np.abs(theirs).max()


@pytest.mark.parametrize("radius_mm", [3.0, 5.0])
def test_a_bright_ball_answers_most_at_its_radius_over_the_root_of_three(radius_mm: float) -> None:
    spacing = (1.5, 0.75, 0.75)
    shape = (25, 49, 49)
    z, y, x = places_mm(shape, spacing)
    ball = 100.0 * (z**2 + y**2 + x**2 <= radius_mm**2)
    sigmas = radius_mm / np.sqrt(3) * np.array([0.6, 0.8, 1.0, 1.25, 1.6])
    middle = [log(ball, spacing_mm=spacing, sigma_mm=float(s))[12, 24, 24] for s in sigmas]
    assert np.argmin(middle) == 2
    assert middle[2] < 0


def test_unsharp_is_that_of_scikit_image_without_clipping() -> None:
    values = RNG.uniform(-1, 1, (40, 41))
    theirs = skimage.filters.unsharp_mask(values, radius=2.0, amount=1.5, preserve_range=True)
    assert np.allclose(unsharp(values, spacing_mm=(0.5, 0.5), radius_mm=1.0, amount=1.5), theirs, atol=1e-6)


def test_unsharp_makes_a_step_steeper_and_leaves_even_ground() -> None:
    values = np.zeros((30, 40), dtype=np.float32)
    values[:, 20:] = 100.0
    sharp = unsharp(ndimage.gaussian_filter(values, 2.0), spacing_mm=UNIT[2], radius_mm=2.0, amount=1.0)
    assert sharp[15, 20] - sharp[15, 19] > 1.3 * 100 * 0.1974  # the blurred step rises by 0.1974 of its height
    assert sharp[15, 0] == pytest.approx(0.0, abs=1e-3)
    assert sharp[15, -1] == pytest.approx(100.0, abs=1e-3)


def test_sharpening_adds_the_same_to_all_colours() -> None:
    values = RNG.uniform(0, 255, (20, 21, 3)).astype(np.float32)
    added = unsharp(values, spacing_mm=UNIT[2], radius_mm=1.5, amount=1.0) - values
    assert np.allclose(added, added[..., :1], atol=1e-3)


@pytest.mark.parametrize(("azimuth", "corner"), [(135.0, (0, 0)), (45.0, (0, 1)), (-45.0, (1, 1)), (225.0, (1, 0))])
def test_a_hill_is_bright_where_it_faces_the_light(azimuth: float, corner: tuple[int, int]) -> None:
    y, x = places_mm((41, 41), UNIT[2])
    hill = 100.0 * np.exp(-(y**2 + x**2) / 72)
    relief = emboss(hill, spacing_mm=UNIT[2], ground=50.0, azimuth_degrees=azimuth, sigma_mm=1.0, amount=1.0)
    quarters = [[relief[:20, :20].mean(), relief[:20, 21:].mean()], [relief[21:, :20].mean(), relief[21:, 21:].mean()]]
    assert np.argmax(quarters) == 2 * corner[0] + corner[1]
    assert relief[20, 20] == pytest.approx(50.0)
    assert relief[0, 0] == pytest.approx(50.0, abs=0.5)


def test_a_relief_rises_by_the_slope_per_sigma() -> None:
    _, _, x = places_mm((3, 20, 30), SPACING)
    relief = emboss(4.0 * x, spacing_mm=SPACING, ground=0.0, azimuth_degrees=180.0, sigma_mm=1.0, amount=2.0)
    assert np.allclose(relief[:, :, 8:-8], 8.0)


def test_even_ground_is_the_middle_of_the_range() -> None:
    values = np.full((50, 50), 10.0)
    values[:, 25:] = 30.0
    relief = apply_step(step_named("emboss")(), values, UNIT[2])
    assert relief[25, 5] == pytest.approx(20.0)


def test_canny_is_that_of_scikit_image_slice_by_slice() -> None:
    values = ndimage.gaussian_filter(RNG.normal(0, 100, (3, 60, 50)), 1.5)
    low, high = np.quantile(values, (0.01, 0.99))
    answer = 4 * 0.6826895  # scipy's Sobel of a step of 1 that is smoothed by one pixel: 4 erf(1 / √2)
    theirs = [
        skimage.feature.canny(
            s,
            1.0,
            low_threshold=0.1 * answer * (high - low),
            high_threshold=0.2 * answer * (high - low),
            mode="reflect",
        )
        for s in values
    ]
    ours = apply_step(Canny(), values, (SPACING[0], 1.0, 1.0))
    assert set(np.unique(ours)) == {0.0, 1.0}
    assert np.array_equal(ours, np.stack(theirs))


@pytest.mark.parametrize(("step", "found"), [(15.0, False), (25.0, True)])
def test_canny_finds_a_step_above_its_share_of_the_range(step: float, found: bool) -> None:
    values = np.zeros((40, 120), dtype=np.float32)
    values[:, 20:40] = 100.0  # the range
    values[:, 80:] = step
    edges = apply_step(Canny(weak=0.2, strong=0.2), values, UNIT[2])
    assert edges[5:-5, 18:22].any(axis=1).all()
    assert bool(edges[5:-5, 77:83].any()) is found


def test_an_empty_slice_has_no_edges() -> None:
    values = np.zeros((2, 40, 40))
    values[0, 10:30, 10:30] = 100.0
    values[1] = RNG.normal(0, 1, (40, 40))
    edges = apply_step(Canny(), values, UNIT[3])
    assert edges[0].any()
    assert not edges[1].any()


def test_a_weak_edge_must_not_be_stronger_than_a_strong_one() -> None:
    with pytest.raises(ValidationError, match="weak <= strong"):
        Canny(weak=0.5, strong=0.2)


@pytest.mark.parametrize("name", ["sobel", "canny", "emboss", "frangi", "sato"])
def test_edges_of_a_coloured_picture_are_those_of_its_luminance(name: str) -> None:
    values = ndimage.gaussian_filter(RNG.uniform(0, 255, (30, 30, 3)), (2, 2, 0))
    grey = values @ [0.299, 0.587, 0.114]
    coloured = apply_step(step_named(name)(), values, UNIT[2])
    assert np.allclose(coloured, apply_step(step_named(name)(), grey, UNIT[2])[..., None], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "unit"), [("sobel", "arbitrary"), ("canny", "share"), ("log", "arbitrary"), ("unsharp", "HU")]
)
def test_only_sharpening_keeps_the_unit(name: str, unit: str) -> None:
    assert step_named(name)().unit_after("HU") == unit
