"""Colours of pictures that can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.imaging.colour_measures import asymmetry, auto_correlogram, colour_moments, hue_moments, in_spaces

ALL = np.ones((4, 4), bool)


def test_pure_red_in_each_space() -> None:
    spaces = in_spaces(np.full((1, 1, 3), (255, 0, 0), dtype=np.uint8))
    np.testing.assert_allclose(spaces["rgb"][0, 0], (1, 0, 0))
    np.testing.assert_allclose(spaces["hsv"][0, 0], (0, 1, 1))
    np.testing.assert_allclose(spaces["lab"][0, 0], (53.24, 80.09, 67.20), atol=0.05)


def test_moments_of_three_ones_and_a_five() -> None:
    # Mean 2, deviations -1 three times and 3: variance 3, third moment 6.
    assert colour_moments(np.array([1.0, 1, 1, 5])) == pytest.approx((2, 3**0.5, 6 / 3**1.5))
    assert colour_moments(np.full(7, 0.1))[1:] == pytest.approx((0, 0))


def test_the_mean_of_hues_on_both_sides_of_red_is_red() -> None:
    mean, agreement = hue_moments(np.array([0.9, 0.1]), np.ones(2))
    assert min(mean, 1 - mean) < 1e-9
    assert agreement == pytest.approx(math.cos(0.2 * math.pi))
    assert hue_moments(np.array([0.25, 0.7]), np.array([1.0, 0.0])) == pytest.approx((0.25, 1))


def test_grey_has_no_hue_and_opposite_hues_have_no_mean() -> None:
    assert all(math.isnan(value) for value in hue_moments(np.zeros(3), np.zeros(3)))
    mean, agreement = hue_moments(np.array([0.0, 0.5]), np.ones(2))
    assert math.isnan(mean)
    assert agreement == pytest.approx(0)


def test_a_picture_of_one_colour_has_it_at_every_distance() -> None:
    found = auto_correlogram(np.ones((4, 4), np.intp), ALL, count=3, distances=(1, 2))
    assert found.tolist() == [[0, 0], [1, 1], [0, 0]]


def test_of_two_halves_pairs_are_counted_from_both_ends() -> None:
    colours = np.repeat([[0, 0, 1, 1]], 4, axis=0)
    # At distance 1 from the 8 pixels of the left half: 12 neighbours for 4, 5 and 8 for inner ones, counted one by one.
    same = pairs = 0
    for y in range(4):
        for x in range(2):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if (dy or dx) and 0 <= y + dy < 4 and 0 <= x + dx < 4:
                        pairs += 1
                        same += x + dx < 2
    found = auto_correlogram(colours, ALL, count=2, distances=(1, 9))
    assert found[:, 0] == pytest.approx([same / pairs] * 2)
    assert found[:, 1].tolist() == [0, 0]


def test_a_checkerboard_has_its_colour_on_half_of_the_ring() -> None:
    y, x = np.indices((41, 41))
    found = auto_correlogram((y + x) % 2, np.ones((41, 41), bool), count=2, distances=(1, 2))
    # Ring 1: four diagonal neighbours of eight. Ring 2: of sixteen, the eight whose steps add up to an even number.
    assert found == pytest.approx(np.full((2, 2), 0.5), abs=0.02)


def test_pixels_outside_of_the_mask_are_no_pairs() -> None:
    colours = np.repeat([[0, 0, 1, 1]], 4, axis=0)
    assert auto_correlogram(colours, colours == 0, count=2, distances=(1,)).tolist() == [[1], [0]]


def test_an_ellipse_of_one_colour_is_symmetric_and_one_of_two_halves_is_not_across_them() -> None:
    y, x = np.indices((81, 81)) - 40
    mask = (y / 15) ** 2 + (x / 30) ** 2 <= 1
    lab = np.zeros((81, 81, 3))
    assert max(asymmetry(lab, mask).values()) < 1e-9
    lab[..., 0] = np.where(x > 0, 50.0, 0.0)
    found = asymmetry(lab, mask)
    # The major axis lies along x: what it mirrors is above and below, of the same colour.
    assert found["colour_major"] == pytest.approx(0, abs=1e-9)
    assert found["colour_minor"] == pytest.approx(50, rel=0.05)


def test_a_triangle_differs_from_its_mirror_image_at_one_axis() -> None:
    y, x = np.indices((81, 81)) - 40
    triangle = (x > -30) & (np.abs(y) < (30 - x) / 4)
    found = asymmetry(np.zeros((81, 81, 3)), triangle)
    assert found["shape_major"] < 0.03
    assert found["shape_minor"] > 0.15


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_picture_has_the_same_asymmetry(turns: int) -> None:
    rng = np.random.default_rng(0)
    y, x = np.indices((61, 61)) - 30
    mask = ((y / 14) ** 2 + (x / 25) ** 2 <= 1) & (y + 2 * x > -30)
    lab = rng.normal(50, 10, size=(61, 61, 3))
    assert asymmetry(np.rot90(lab, turns), np.rot90(mask, turns)) == pytest.approx(asymmetry(lab, mask))
