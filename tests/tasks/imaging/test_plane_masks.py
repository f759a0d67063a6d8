"""Shape operations on pictures, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.plane_masks import closed, distance_px, equal_area_diameter, filled, largest, opened, roundness


def square(side: int = 40) -> np.ndarray:
    mask = np.zeros((60, 60), bool)
    mask[10 : 10 + side, 10 : 10 + side] = True
    return mask


def test_distance_is_0_inside_and_counts_pixels_outside() -> None:
    distance = distance_px(square())
    assert distance[20, 20] == 0
    assert distance[10, 5] == 5
    assert distance[7, 6] == 5  # 3 up, 4 left


def test_an_opening_takes_off_what_is_narrow_and_keeps_what_the_edge_cuts() -> None:
    mask = square()
    mask[28:31, :10] = True
    assert not opened(mask, 4.0)[29, 2]
    assert opened(mask, 4.0)[30, 30]
    at_edge = np.zeros((60, 60), bool)
    at_edge[:, :5] = True  # 5 wide, but who knows what lies beyond the picture
    assert opened(at_edge, 4.0)[30, 0]
    assert not opened(np.zeros((5, 5), bool), 1.0).any()


def test_a_closing_spans_a_gap_and_adds_nothing_to_a_square() -> None:
    mask = square()
    gap = mask.copy()
    gap[10:20, 28:31] = False
    assert np.array_equal(closed(gap, 5.0)[14:], mask[14:])
    assert np.array_equal(closed(mask, 5.0), mask)
    assert closed(np.ones((4, 4), bool), 2.0).all()
    assert not closed(np.zeros((4, 4), bool), 2.0).any()


def test_the_largest_piece_and_holes() -> None:
    mask = square()
    mask[20:25, 20:25] = False
    mask[0:3, 0:3] = True
    assert np.array_equal(largest(filled(mask)), square())


def test_a_disc_is_round_and_a_bar_is_not() -> None:
    y, x = np.mgrid[:80, :80]
    disc = np.hypot(y - 40, x - 40) < 30
    assert roundness(disc) > 0.99
    assert equal_area_diameter(disc) == pytest.approx(60, rel=0.02)
    bar = np.zeros((80, 80), bool)
    bar[38:42] = True
    assert roundness(bar) < 0.5
