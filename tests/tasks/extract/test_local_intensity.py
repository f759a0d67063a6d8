"""Peaks: means of spheres of 1 cm³, counted by hand and against a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storage.volume import Triple
from tasks.extract.families.local_intensity import Settings, compute, margin_mm
from tasks.extract.peaks import RADIUS_MM
from tasks.extract.region import Region


def plain(image: np.ndarray, mask: np.ndarray, spacing_mm: Triple) -> dict[str, float]:
    places = np.argwhere(np.ones(image.shape, bool)) * np.asarray(spacing_mm)
    values, inside = image.ravel(), mask.ravel()
    means = np.array([values[np.linalg.norm(places - at, axis=1) <= RADIUS_MM].mean() for at in places[inside]])
    highest = values[inside] == values[inside].max()
    return {"local_peak": means[highest].max(), "global_peak": means.max()}


def test_the_sphere_holds_a_cubic_centimetre() -> None:
    assert 4 / 3 * math.pi * RADIUS_MM**3 == pytest.approx(1000.0)
    assert margin_mm((5.0, 5.0, 5.0), Settings()) == (RADIUS_MM,) * 3


def test_a_hot_voxel_of_5_mm_shares_its_sphere_with_six_neighbours() -> None:
    image = np.zeros((5, 5, 5))
    image[2, 2, 2] = 7.0
    found = compute(Region(image, image > 0, (5.0, 5.0, 5.0), "SUV"), Settings())
    assert found == pytest.approx({"local_peak": 1.0, "global_peak": 1.0})


def test_the_global_peak_may_lie_away_from_the_maximum() -> None:
    image = np.zeros((3, 3, 20))
    image[1, 1, 2] = 9.0  # alone
    image[:, :, 10:] = 5.0
    found = compute(Region(image, image > 0, (5.0, 5.0, 5.0), "SUV"), Settings())
    assert found == pytest.approx({"local_peak": 9 / 7, "global_peak": 5.0})


def test_of_several_maxima_the_highest_mean_counts() -> None:
    image = np.zeros((3, 3, 20))
    image[1, 1, [3, 12]] = 6.0
    image[1, 1, 13] = 1.0
    assert compute(Region(image, image > 0, (5.0, 5.0, 5.0), "SUV"), Settings())["local_peak"] == pytest.approx(1.0)


@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 2.0), (3.3, 1.7, 1.2), (8.0, 4.0, 0.9), (9.0, 9.0, 9.0)])
def test_means_are_those_of_a_plain_loop_up_to_the_images_ends(spacing_mm: Triple) -> None:
    rng = np.random.default_rng(0)
    image, mask = rng.normal(100, 20, size=(6, 9, 15)), rng.random((6, 9, 15)) < 0.4
    found = compute(Region(image, mask, spacing_mm, "HU"), Settings())
    assert found == pytest.approx(plain(image, mask, spacing_mm), rel=1e-12)


def test_spheres_stand_on_the_intensity_mask_only() -> None:
    image = np.zeros((1, 1, 9))
    image[0, 0, [1, 7]] = 9.0, 3.0
    mask, counted = image > 0, image == 3
    found = compute(Region(image, mask, (5.0, 5.0, 5.0), "SUV", counted), Settings())
    assert found == pytest.approx({"local_peak": 1.0, "global_peak": 1.0})
