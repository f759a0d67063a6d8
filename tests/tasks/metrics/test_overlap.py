"""Overlap of masks that can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.metrics.overlap import dice, dice_of_counts, iou, iou_of_counts


def cube(start: int, stop: int) -> np.ndarray:
    mask = np.zeros((4, 4, 20), dtype=bool)
    mask[:, :, start:stop] = True
    return mask


def test_cubes_shifted_by_half_have_iou_one_third_and_dice_one_half() -> None:
    assert iou(cube(0, 10), cube(5, 15)) == pytest.approx(1 / 3)
    assert dice(cube(0, 10), cube(5, 15)) == pytest.approx(1 / 2)


def test_equal_masks_have_1_and_disjoint_masks_0() -> None:
    assert iou(cube(2, 9), cube(2, 9)) == dice(cube(2, 9), cube(2, 9)) == 1.0
    assert iou(cube(0, 5), cube(5, 9)) == dice(cube(0, 5), cube(5, 9)) == 0.0


def test_two_empty_masks_have_no_overlap_to_state() -> None:
    assert math.isnan(iou(cube(0, 0), cube(0, 0)))
    assert math.isnan(dice(cube(0, 0), cube(0, 0)))


def test_counts_broadcast_regions_against_lesions() -> None:
    shared = np.array([[2, 0], [1, 3]])
    sizes, lesions = np.array([[4], [6]]), np.array([3, 5])
    np.testing.assert_allclose(iou_of_counts(shared, sizes, lesions), [[2 / 5, 0], [1 / 8, 3 / 8]])
    np.testing.assert_allclose(dice_of_counts(shared, sizes, lesions), [[4 / 7, 0], [2 / 9, 6 / 11]])


def test_masks_of_other_shape_or_type_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        iou(cube(0, 1), cube(0, 1)[:2])
    with pytest.raises(ValueError, match="boolean"):
        dice(cube(0, 1).astype(np.uint8), cube(0, 1))
