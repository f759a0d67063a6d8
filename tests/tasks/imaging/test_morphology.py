"""Filling, closing and boxes on masks that can be drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.morphology import (
    close_mask,
    distance_mm,
    fill_slices,
    grow_box,
    inner_box,
    keep_large_components,
    label_components,
    mask_box,
)


def ring() -> np.ndarray:
    mask = np.zeros((3, 5, 5), dtype=bool)
    mask[:, 1:4, 1:4] = True
    mask[:, 2, 2] = False
    return mask


def test_a_tunnel_through_all_slices_is_filled_in_each() -> None:
    filled = fill_slices(ring())
    assert filled[:, 2, 2].all()
    assert filled.sum() == 3 * 9


def test_a_bay_open_to_the_edge_of_the_slice_is_not_filled() -> None:
    mask = ring()
    mask[:, 2, 3:] = False
    assert (fill_slices(mask) == mask).all()


def test_distances_are_in_mm_along_each_axis_and_zero_inside() -> None:
    mask = np.zeros((3, 4, 5), dtype=bool)
    mask[0, 0, 0:2] = True
    distance = distance_mm(mask, (5.0, 2.0, 1.0))
    assert distance[0, 0].tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]
    assert distance[:, 0, 0].tolist() == [0.0, 5.0, 10.0]
    assert distance[2, 3, 3] == pytest.approx(np.sqrt(10**2 + 6**2 + 2**2))


def test_nothing_is_near_an_empty_mask() -> None:
    assert distance_mm(np.zeros((3, 3, 3), dtype=bool), (1.0, 1.0, 1.0)).min() > 1e6


def gap(voxels: int) -> np.ndarray:
    """Two plates across z with so many empty slices between."""
    mask = np.zeros((voxels + 4, 9, 9), dtype=bool)
    mask[[1, voxels + 2]] = True
    return mask


def test_closing_bridges_a_gap_narrower_than_the_ball() -> None:
    # Two plates 4 slices of 1 mm apart: a ball of radius 3 mm cannot pass between them.
    closed = close_mask(gap(3), radius_mm=3.0, spacing_mm=(1.0, 1.0, 1.0))
    assert closed[2:5, 4, 4].all()


def test_the_same_gap_of_coarse_slices_stays_open() -> None:
    # At 5 mm per slice the plates are 20 mm apart.
    mask = gap(3)
    assert (close_mask(mask, radius_mm=3.0, spacing_mm=(5.0, 1.0, 1.0)) == mask).all()


def test_closing_adds_nothing_to_a_convex_block_nor_between_it_and_the_face() -> None:
    mask = np.zeros((8, 8, 8), dtype=bool)
    mask[1:5, 1:5, 1:5] = True
    assert (close_mask(mask, radius_mm=4.0, spacing_mm=(1.0, 1.0, 1.0)) == mask).all()


def test_closing_does_not_change_its_input() -> None:
    mask = gap(3)
    before = mask.copy()
    close_mask(mask, radius_mm=3.0, spacing_mm=(1.0, 1.0, 1.0))
    assert (mask == before).all()


def test_an_empty_mask_has_no_box() -> None:
    with pytest.raises(ValueError, match="expected at least 1 voxel"):
        mask_box(np.zeros((2, 2, 2), dtype=bool))


def test_a_box_grows_by_whole_voxels_and_stops_at_the_faces() -> None:
    mask = np.zeros((10, 10, 10), dtype=bool)
    mask[4, 4:6, 1] = True
    box = mask_box(mask)
    assert box == (slice(4, 5), slice(4, 6), slice(1, 2))
    outer = grow_box(box, 4.0, mask.shape, (4.0, 3.0, 2.0))
    assert outer == (slice(3, 6), slice(2, 8), slice(0, 4))
    assert inner_box(box, outer) == (slice(1, 2), slice(2, 4), slice(1, 2))


def test_voxels_that_touch_by_an_edge_only_are_two_components() -> None:
    mask = np.zeros((1, 2, 2), dtype=bool)
    mask[0, 0, 0] = mask[0, 1, 1] = True
    _, boxes = label_components(mask)
    assert len(boxes) == 2


def test_components_below_the_fraction_of_the_largest_are_dropped() -> None:
    mask = np.zeros((1, 3, 20), dtype=bool)
    mask[0, 0, :10], mask[0, 2, :4], mask[0, 2, 10] = True, True, True
    kept = keep_large_components(mask, fraction=0.3)
    assert kept.sum() == 14
    assert not kept[0, 2, 10]
