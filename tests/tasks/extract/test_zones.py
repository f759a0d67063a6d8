"""Zones, their sizes and their distances (GLSZM and GLDZM), by hand and against SciPy."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from tasks.extract.discretize import Discretization
from tasks.extract.families import gldzm, glszm
from tasks.extract.region import Region
from tasks.extract.texture.zones import zones


def of_levels(levels: object, mask: np.ndarray | None = None) -> Region:
    """A region of these levels where they are not 0, in a morphological mask: the same if there is none."""
    array = np.array(levels, ndmin=3)
    discretization = Discretization(method="none")
    inside = array > 0 if mask is None else mask
    return Region(np.maximum(array, 1), inside, (1.0, 1.0, 1.0), "HU", array > 0, discretization)


def listed(region: Region, *, planar: bool) -> list[tuple[int, ...]]:
    """Slice (of the first voxel), level, size and distance of each zone."""
    found = zones(region, planar=planar)
    columns = (found.slice_number, found.level, found.size, found.distance)
    return [tuple(int(v) for v in row) for row in zip(*columns, strict=True)]


def labelled(levels: np.ndarray, mask: np.ndarray) -> Counter:
    """The same by SciPy: level, size and distance of the zones, in the dimensions that the arrays have."""
    distance = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="taxicab")[(slice(1, -1),) * mask.ndim]
    found: Counter = Counter()
    for level in np.unique(levels[levels > 0]):
        labels, count = ndimage.label(levels == level, structure=np.ones((3,) * mask.ndim))
        for i in range(1, count + 1):
            found[int(level), int((labels == i).sum()), int(distance[labels == i].min())] += 1
    return found


def noise(highest: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels with holes in a mask without."""
    rng = np.random.default_rng(highest)
    mask = ndimage.binary_dilation(rng.random((7, 9, 11)) < 0.3)
    return rng.integers(1, highest + 1, mask.shape) * (mask & (rng.random(mask.shape) < 0.9)), mask


def test_voxels_that_touch_at_a_corner_are_one_zone() -> None:
    corner = np.zeros((2, 2, 2), int)
    corner[0, 0, 0] = corner[1, 1, 1] = 7
    assert listed(of_levels(corner), planar=False) == [(0, 7, 2, 1)]
    assert listed(of_levels(corner), planar=True) == [(0, 7, 1, 1), (1, 7, 1, 1)]


def test_arms_that_meet_late_are_one_zone() -> None:
    u = [[1, 2, 1, 2, 1], [1, 2, 1, 2, 1], [1, 1, 1, 1, 1]]
    assert sorted(listed(of_levels(u), planar=True)) == [(0, 1, 11, 1), (0, 2, 2, 1), (0, 2, 2, 1)]


@pytest.mark.parametrize("highest", [1, 2, 5])
def test_zones_are_those_of_scipy(highest: int) -> None:
    levels, mask = noise(highest)
    region = of_levels(levels, mask)
    assert Counter(zone[1:] for zone in listed(region, planar=False)) == labelled(levels, mask)
    filled = [z for z in range(len(levels)) if levels[z].any()]
    for i, z in enumerate(filled):
        of_slice = Counter(zone[1:] for zone in listed(region, planar=True) if zone[0] == i)
        assert of_slice == labelled(levels[z], mask[z])


def test_a_hole_that_resegmentation_leaves_makes_no_border() -> None:
    levels = np.ones((5, 5, 5), int)
    levels[2, 2, 2], levels[2, 2, 1] = 2, 0
    whole = np.ones(levels.shape, bool)
    assert (0, 2, 1, 3) in [(0, *zone[1:]) for zone in listed(of_levels(levels, whole), planar=False)]
    assert (0, 2, 1, 1) in [(0, *zone[1:]) for zone in listed(of_levels(levels), planar=False)]


def test_in_a_slice_distances_are_those_of_the_slice() -> None:
    levels = np.ones((1, 5, 5), int)
    levels[0, 2, 2] = 2
    assert sorted(listed(of_levels(levels), planar=True)) == [(0, 1, 24, 1), (0, 2, 1, 3)]
    assert sorted(listed(of_levels(levels), planar=False)) == [(0, 1, 24, 1), (0, 2, 1, 1)]


def test_features_of_a_core_in_a_shell_are_worked_out_by_hand() -> None:
    levels = np.ones((3, 3, 3), int)
    levels[1, 1, 1] = 2
    sizes = glszm.compute(of_levels(levels), glszm.Settings())
    distances = gldzm.compute(of_levels(levels), gldzm.Settings())
    assert sizes["small_zone_emphasis_3D"] == pytest.approx((1 / 26**2 + 1) / 2)
    assert sizes["large_zone_high_grey_level_emphasis_3D"] == pytest.approx((26**2 + 4) / 2)
    assert sizes["zone_size_variance_3D"] == pytest.approx(12.5**2)
    assert sizes["zone_percentage_3D"] == distances["zone_percentage_3D"] == pytest.approx(2 / 27)
    assert sizes["grey_level_non_uniformity_3D"] == sizes["zone_size_non_uniformity_3D"] == 1.0
    assert distances["small_distance_emphasis_3D"] == pytest.approx((1 + 1 / 4) / 2)
    assert distances["large_distance_low_grey_level_emphasis_3D"] == pytest.approx((1 + 4 / 4) / 2)
    assert distances["zone_distance_variance_3D"] == pytest.approx(0.25)
    assert distances["zone_distance_entropy_3D"] == pytest.approx(1.0)


def test_both_families_share_one_labelling() -> None:
    region = of_levels(np.ones((2, 2, 2), int))
    glszm.compute(region, glszm.Settings())
    first = zones(region, planar=False)
    gldzm.compute(region, gldzm.Settings())
    assert zones(region, planar=False) is first


def test_one_voxel_is_one_zone_at_the_border() -> None:
    values = gldzm.compute(of_levels([4]), gldzm.Settings())
    assert values["small_distance_high_grey_level_emphasis_3D"] == 16.0
    assert values["zone_percentage_3D"] == 1.0
    assert all(math.isfinite(value) for value in values.values())
