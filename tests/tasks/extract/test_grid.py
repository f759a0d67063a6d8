"""Regions on the grid of their features: cut from the whole, and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from storage.volume import Volume
from tasks.extract.grid import Grid, Interpolation
from tasks.extract.resegment import Resegmentation, resegment
from tasks.imaging.morphology import mask_box

SHAPE = (20, 33, 31)


@pytest.fixture(scope="module")
def image() -> Volume:
    values = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1) * 1000
    return Volume(values, (3.0, 0.977, 0.977), unit="HU")


def positions(grid: Grid) -> np.ndarray:
    """Voxels of the original image at those of the grid, reckoned from the centres in mm."""
    axes = [
        (np.arange(new) - (new - 1) / 2) * to / at + (old - 1) / 2
        for new, old, to, at in zip(grid.shape, SHAPE, grid.spacing_mm, grid.original.spacing_mm, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


@pytest.mark.parametrize(("interpolation", "order"), [("linear", 1), ("cubic", 3)])
def test_intensities_are_those_of_scipy_and_not_smoothed(image: Volume, interpolation: str, order: int) -> None:
    grid = Grid(image, Interpolation(spacing_mm=2.0, image=interpolation))
    assert grid.shape == (30, 17, 16)
    inner = (slice(2, -2), slice(1, -1), slice(1, -1))
    at = np.clip(positions(grid), 0, np.array(SHAPE).reshape(3, 1, 1, 1) - 1)
    expected = ndimage.map_coordinates(image.array, at, order=order, mode="mirror")
    np.testing.assert_allclose(grid.whole[inner], expected[inner], atol=1e-6)


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
def test_a_box_alone_is_the_same_as_cut_from_the_whole(image: Volume, interpolation: str) -> None:
    settings = Interpolation(spacing_mm=(2.0, 2.0), image=interpolation, round_intensities=True)
    box = (slice(3, 9), slice(4, 12), slice(0, 9))
    alone, whole = Grid(image, settings).image(box), Grid(image, settings).whole
    np.testing.assert_allclose(alone, whole[box], atol=1e-4)
    assert (whole == np.rint(whole)).all()


@pytest.mark.parametrize("spacing", [2.0, 0.7, (1.5, 2.0, 0.5)])
def test_a_mask_in_its_box_is_the_same_as_one_of_the_whole_image(image: Volume, spacing: float) -> None:
    z, y, x = np.indices(SHAPE)
    for centre in ((10, 16, 15), (1, 2, 30)):  # inside, and where the image ends
        ball = ((z - centre[0]) * 3) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 60
        grid = Grid(image, Interpolation(spacing_mm=spacing))
        box = mask_box(ball)
        at, found = grid.mask(box, ball[box])
        clipped = np.clip(positions(grid), 0, np.array(SHAPE).reshape(3, 1, 1, 1) - 1)
        whole = ndimage.map_coordinates(ball.astype(float), clipped, order=1) >= 0.5 - 1e-9
        assert at == mask_box(whole)
        assert (found == whole[at]).all()


def test_without_a_spacing_nothing_changes(image: Volume) -> None:
    grid = Grid(image, Interpolation())
    assert grid.shape == SHAPE
    assert grid.whole is image.array or (grid.whole == image.array).all()
    box = (slice(1, 3), slice(2, 4), slice(0, 2))
    assert grid.mask(box, np.ones((2, 2, 2), bool))[0] == box


def test_a_mask_that_the_grid_passes_by_is_empty(image: Volume) -> None:
    one = (slice(7, 8), slice(7, 8), slice(7, 8))
    box, mask = Grid(image, Interpolation(spacing_mm=9.0)).mask(one, np.ones((1, 1, 1), bool))
    assert mask.size == 0
    assert box == (slice(0, 0),) * 3


def test_resegmentation_keeps_the_range_and_drops_what_is_far_from_the_mean() -> None:
    image = np.array([[[-900.0, 0.0, 10.0, 20.0, 3000.0]]])
    mask = np.ones(image.shape, bool)
    assert resegment(image, mask, Resegmentation(lowest=0)).ravel().tolist() == [False, True, True, True, True]
    assert resegment(image, mask, Resegmentation(lowest=0, highest=20)).sum() == 3
    # Mean 426, standard deviation 1336 of all: the largest is 1.93 of them away.
    assert resegment(image, mask, Resegmentation(outliers_sd=1.9)).ravel().tolist() == [True, True, True, True, False]
    assert resegment(image, mask, Resegmentation()) is mask
    assert not resegment(image, mask, Resegmentation(lowest=5000, outliers_sd=3)).any()
