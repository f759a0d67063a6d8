"""Filled polygons, pixel for pixel as scikit-image fills them."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import polygon

from tasks.imaging.kernels.polygon import turn_over

SHAPE = (40, 50)


def filled(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    turn_over(mask, np.asarray(rows, float), np.asarray(columns, float))
    return mask


def expected(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[polygon(rows, columns, shape=SHAPE)] = True
    return mask


def test_a_square_from_centre_to_centre_includes_its_edges() -> None:
    mask = filled(np.array([2, 2, 5, 5]), np.array([3, 7, 7, 3]))
    assert mask[2:6, 3:8].all()
    assert mask.sum() == 20


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("vertices", [3, 5, 12, 60])
def test_any_polygon_has_the_pixels_of_scikit_image(vertices: int, decimals: int) -> None:
    # Rounded to 0 or 1 decimals, many vertices and edges fall on centres, and edges cross or cover one another.
    rng = np.random.default_rng(vertices + 100 * decimals)
    for _ in range(60):
        rows = np.round(rng.uniform(-5, SHAPE[0] + 5, vertices), decimals)
        columns = np.round(rng.uniform(-5, SHAPE[1] + 5, vertices), decimals)
        np.testing.assert_array_equal(filled(rows, columns), expected(rows, columns))


def test_outlines_of_organs_have_them_too() -> None:
    rng = np.random.default_rng(1)
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    for _ in range(40):
        radius = rng.uniform(5, 18) * (1 + 0.2 * np.sin(rng.integers(2, 6) * angle))
        rows, columns = np.round(20 + radius * np.sin(angle), 6), np.round(25 + radius * np.cos(angle), 6)
        np.testing.assert_array_equal(filled(rows, columns), expected(rows, columns))


def test_a_contour_without_area_is_what_scikit_image_makes_of_it() -> None:
    assert filled(np.array([3.0]), np.array([4.0])).sum() == 1
    line = np.array([3.0, 6.0]), np.array([4.0, 7.0])
    np.testing.assert_array_equal(filled(*line), expected(*line))


def test_a_second_polygon_inside_is_a_hole() -> None:
    mask = filled(np.array([0, 0, 9, 9]), np.array([0, 9, 9, 0]))
    turn_over(mask, np.array([3.0, 3.0, 6.0, 6.0]), np.array([3.0, 6.0, 6.0, 3.0]))
    assert not mask[3:7, 3:7].any()
    assert mask.sum() == 100 - 16
