"""Distances between surfaces: phantoms computable by hand, a peer, and masks that are empty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.metrics.surface import hausdorff_mm, mean_distance_mm, surface_dice, surface_distances

SPACING = (1.0, 1.0, 1.0)


def voxels(*places: tuple[int, int, int], shape: tuple[int, int, int] = (8, 8, 8)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    for place in places:
        mask[place] = True
    return mask


def ball(radius: float, shape: tuple[int, int, int] = (40, 40, 40)) -> np.ndarray:
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]]
    centre = [n / 2 for n in shape]
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2


def test_two_voxels_2mm_apart_have_hausdorff_2mm() -> None:
    found = surface_distances(voxels((3, 3, 3)), voxels((3, 3, 5)), SPACING)
    assert hausdorff_mm(found, percentile=100) == 2.0


def test_the_same_mask_has_no_distance() -> None:
    found = surface_distances(ball(9), ball(9), (3.0, 1.0, 1.0))
    assert (hausdorff_mm(found), mean_distance_mm(found), surface_dice(found, tolerance_mm=0)) == (0, 0, 1)


def test_a_voxel_has_six_faces_whose_areas_follow_the_spacing() -> None:
    found = surface_distances(voxels((3, 3, 3)), voxels((3, 3, 3)), (2.0, 3.0, 5.0))
    assert sorted(found.first_mm2) == [6, 6, 10, 10, 15, 15]


def test_masks_that_touch_have_distance_zero_on_the_shared_face() -> None:
    found = surface_distances(voxels((3, 3, 3)), voxels((3, 3, 4)), SPACING)
    assert np.count_nonzero(found.first_mm == 0) == 1


def test_a_slab_moved_by_one_slice_is_one_spacing_away_where_it_is_wide() -> None:
    slab = np.zeros((12, 200, 200), dtype=bool)
    slab[4:7] = True
    moved = np.roll(slab, 1, axis=0)
    found = surface_distances(slab, moved, (2.5, 1.0, 1.0))
    assert hausdorff_mm(found) == 2.5
    assert surface_dice(found, tolerance_mm=2.4) < 0.1
    assert surface_dice(found, tolerance_mm=2.5) == 1


def test_the_95th_percentile_forgives_a_single_voxel_far_away() -> None:
    stray = ball(12)
    stray[1, 1, 1] = True
    found = surface_distances(ball(12), stray, SPACING)
    assert hausdorff_mm(found) == 0
    assert hausdorff_mm(found, percentile=100) > 15


def test_percentiles_count_area_not_faces() -> None:
    # On a grid of thick slices the two large faces of a voxel are most of its surface.
    found = surface_distances(voxels((3, 3, 3)), voxels((3, 3, 5)), (0.1, 1.0, 1.0))
    assert hausdorff_mm(found, percentile=50) == hausdorff_mm(found, percentile=80)


def test_an_empty_mask_is_infinitely_far_and_two_empty_ones_are_undefined() -> None:
    nothing = voxels()
    one = surface_distances(voxels((3, 3, 3)), nothing, SPACING)
    assert (hausdorff_mm(one), mean_distance_mm(one), surface_dice(one, tolerance_mm=5)) == (math.inf, math.inf, 0)
    none = surface_distances(nothing, nothing, SPACING)
    assert all(map(math.isnan, (hausdorff_mm(none), mean_distance_mm(none), surface_dice(none, tolerance_mm=5))))


def test_what_lies_beyond_the_image_is_outside() -> None:
    full = np.ones((3, 3, 3), dtype=bool)
    assert surface_distances(full, full, SPACING).first_mm.size == 54


def test_order_does_not_matter() -> None:
    one, other = ball(9), np.roll(ball(11), 2, axis=1)
    ours, theirs = surface_distances(one, other, (2, 1, 1)), surface_distances(other, one, (2, 1, 1))
    for measure in (hausdorff_mm, mean_distance_mm, lambda d: surface_dice(d, tolerance_mm=1)):
        assert measure(ours) == pytest.approx(measure(theirs))


@pytest.mark.slow
def test_monai_says_nearly_the_same_of_balls() -> None:
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    spacing = (2.0, 1.0, 1.0)
    one, other = ball(10), np.roll(ball(12), 2, axis=2)
    found = surface_distances(one, other, spacing)
    stacked = [torch.from_numpy(mask)[None, None].float() for mask in (one, other)]
    hausdorff = compute_hausdorff_distance(*stacked, include_background=True, percentile=95, spacing=spacing)
    mean = compute_average_surface_distance(*stacked, include_background=True, symmetric=True, spacing=spacing)
    assert hausdorff_mm(found) == pytest.approx(float(hausdorff), abs=0.5)
    assert mean_distance_mm(found) == pytest.approx(float(mean), abs=0.3)


@pytest.mark.parametrize(
    ("first", "second", "spacing", "says"),
    [
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2), bool), SPACING, "boolean"),
        (np.zeros((2, 2, 2), bool), np.zeros((2, 2, 3), bool), SPACING, "one shape"),
        (np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool), (1.0, 1.0), "one shape"),
    ],
)
def test_what_cannot_be_compared_is_refused(first: np.ndarray, second: np.ndarray, spacing: tuple, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        surface_distances(first, second, spacing)
