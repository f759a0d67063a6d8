"""Moran's I and Geary's C: by hand for two voxels, by all pairs for a few hundred."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from storage.volume import Triple
from tasks.extract.families.autocorrelation import Settings, compute
from tasks.extract.region import Region

ONE: Triple = (1.0, 1.0, 1.0)


def measure(image: np.ndarray, mask: np.ndarray | None = None, spacing_mm: Triple = ONE) -> dict[str, float]:
    return compute(Region(image, np.ones(image.shape, bool) if mask is None else mask, spacing_mm, "HU"), Settings())


def by_pairs(image: np.ndarray, mask: np.ndarray, spacing_mm: Triple) -> dict[str, float]:
    """The double sums of the standard."""
    x, weights = image[mask].astype(float), squareform(1 / pdist(np.argwhere(mask) * np.asarray(spacing_mm)))
    y, n = x - x.mean(), x.size
    scale = weights.sum() * (y**2).sum()
    return {
        "moran_i": n * (weights * np.outer(y, y)).sum() / scale,
        "geary_c": (n - 1) * (weights * np.subtract.outer(x, x) ** 2).sum() / 2 / scale,
    }


def test_two_voxels_that_differ_have_minus_one_and_one() -> None:
    # One pair: y = ∓1, w = 1/d. I = 2 / 2w * -2w / 2 and C = 1 / 4w * (4w + 4w) / 2.
    assert measure(np.array([[[1.0, 3.0]]]), spacing_mm=(1.0, 1.0, 4.0)) == pytest.approx({"moran_i": -1, "geary_c": 1})


def test_three_voxels_in_a_row() -> None:
    # y = -1, 0, 1; weights 1, 1 and 1/2 of the ends. I = 3 / 5 * (2 * -1/2) / 2; C = 2 / 10 * 2 (1 + 1 + 4/2) / 2.
    assert measure(np.array([[[1.0, 2.0, 3.0]]])) == pytest.approx({"moran_i": -0.3, "geary_c": 0.8})


@pytest.mark.parametrize(("shape", "spacing_mm"), [((5, 7, 6), (3.0, 1.0, 0.7)), ((1, 9, 8), ONE), ((2, 1, 30), ONE)])
def test_they_are_the_sums_over_all_pairs(shape: tuple[int, int, int], spacing_mm: Triple) -> None:
    rng = np.random.default_rng(0)
    image, mask = rng.normal(500, 30, size=shape).astype(np.float32), rng.random(shape) < 0.6
    assert measure(image, mask, spacing_mm) == pytest.approx(by_pairs(image, mask, spacing_mm), rel=1e-10)


def test_the_intensity_mask_says_which_voxels_count() -> None:
    rng = np.random.default_rng(1)
    image, mask = rng.normal(size=(4, 5, 6)), np.ones((4, 5, 6), bool)
    counted = rng.random(mask.shape) < 0.5
    found = compute(Region(image, mask, ONE, "HU", counted), Settings())
    assert found == pytest.approx(by_pairs(image, counted, ONE), rel=1e-10)


def test_a_gradient_is_smooth_and_a_chessboard_alternates() -> None:
    z, y, x = np.mgrid[:8, :8, :8]
    smooth, alternating = measure(x.astype(float)), measure((z + y + x) % 2 * 1.0)
    assert smooth["moran_i"] > 0.2
    assert smooth["geary_c"] < 0.8
    assert alternating["moran_i"] < 0
    assert alternating["geary_c"] > 1


def test_equal_intensities_and_one_voxel_leave_both_undefined() -> None:
    for image in (np.full((3, 3, 3), 7.0), np.ones((1, 1, 1))):
        assert all(math.isnan(value) for value in measure(image).values())
