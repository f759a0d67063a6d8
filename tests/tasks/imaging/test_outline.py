"""Outlines of shapes whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.outline import Outline, even, signed_area, trace

TURN = 2 * np.pi * np.arange(256) / 256
CIRCLE = Outline(10.0 * np.exp(1j * TURN) + (3 - 7j))


def polygon(*corners: complex, points: int = 256) -> Outline:
    return Outline(even(np.array(corners), points))


def test_a_circle_has_the_curvature_of_its_radius_everywhere() -> None:
    np.testing.assert_allclose(CIRCLE.curvature_per_mm, 0.1, rtol=1e-3)
    assert CIRCLE.area_mm2 == pytest.approx(100 * np.pi, rel=1e-3)
    assert CIRCLE.perimeter_mm == pytest.approx(20 * np.pi, rel=1e-3)
    assert CIRCLE.centre == pytest.approx(3 - 7j)
    np.testing.assert_allclose(CIRCLE.radii_mm, 10.0)
    plus, minus = CIRCLE.harmonics(5)
    assert (len(plus), len(minus)) == (4, 5)
    assert max(plus.max(), minus.max()) < 1e-12
    assert CIRCLE.fractal_dimension() == pytest.approx(1.0, abs=0.01)


def test_the_parts_of_a_curve_made_of_waves_are_its_harmonics() -> None:
    curve = Outline(4 * np.exp(1j * TURN) + 2 * np.exp(-1j * TURN) + 1 * np.exp(3j * TURN))
    plus, minus = curve.harmonics(4)
    np.testing.assert_allclose(plus, [0, 0.25, 0], atol=1e-12)
    np.testing.assert_allclose(minus, [0.5, 0, 0, 0], atol=1e-12)


def test_an_ellipse_has_the_curvatures_of_its_axes() -> None:
    turn = 2 * np.pi * np.arange(100_000) / 100_000
    ellipse = Outline(even(20 * np.cos(turn) + 10j * np.sin(turn), 1024))
    # a / b² at the ends of the long axis, b / a² at those of the short one.
    assert ellipse.curvature_per_mm.max() == pytest.approx(20 / 100, rel=0.01)
    assert ellipse.curvature_per_mm.min() == pytest.approx(10 / 400, rel=0.01)


def test_a_square_with_a_notch_has_one_dent_of_its_depth() -> None:
    notched = polygon(0, 40, 40 + 40j, 25 + 40j, 25 + 28j, 15 + 28j, 15 + 40j, 40j, points=1024)
    assert notched.concavity_depths_mm().max() == pytest.approx(12, abs=0.2)
    assert (notched.concavity_depths_mm() > 1).sum() == 1
    assert notched.hull.area_mm2 == pytest.approx(1600, rel=1e-2)
    assert notched.area_mm2 == pytest.approx(1600 - 120, rel=1e-2)
    assert notched.centre.real == pytest.approx(20, abs=0.1)
    assert notched.centre.imag == pytest.approx((1600 * 20 - 120 * 34) / 1480, abs=0.1)


def test_a_koch_island_has_the_fractal_dimension_of_its_rule() -> None:
    corners = np.exp(-2j * np.pi * np.arange(3) / 3)[::-1]
    for _ in range(5):
        step = (np.roll(corners, -1) - corners) / 3
        tip = corners + step + step * np.exp(-1j * np.pi / 3)
        corners = np.column_stack([corners, corners + step, tip, corners + 2 * step]).ravel()
    island = Outline(even(corners, 3 * 4**5))
    assert island.fractal_dimension() == pytest.approx(np.log(4) / np.log(3), abs=0.08)


def test_a_trace_lies_half_way_between_voxels_in_mm_and_runs_anticlockwise() -> None:
    mask = np.zeros((6, 7), bool)
    mask[2:4, 3:6] = True
    curve = trace(mask, spacing_mm=(2.0, 0.5))
    assert (curve.imag.min(), curve.imag.max()) == (1.5 * 2, 3.5 * 2)
    assert (curve.real.min(), curve.real.max()) == (2.5 * 0.5, 5.5 * 0.5)
    assert signed_area(curve) == pytest.approx((6 - 4 * 0.125) * 1.0)


def test_a_trace_may_reach_the_border_of_the_array() -> None:
    assert signed_area(trace(np.ones((1, 1), bool), spacing_mm=(1.0, 1.0))) == pytest.approx(0.5)


def test_even_points_have_equal_distances_along_the_curve() -> None:
    points = polygon(0, 4, 4 + 4j, 4j, points=16).curve
    np.testing.assert_allclose(np.abs(points - np.roll(points, 1)), 1.0)


def test_smoothing_rounds_the_stairs_of_a_disc_and_keeps_its_size() -> None:
    y, x = np.indices((80, 80)) - 39.6
    disc = Outline.of(y**2 + x**2 <= 30**2, spacing_mm=(1.0, 1.0), sigma_mm=3.0, points=256)
    assert disc.area_mm2 == pytest.approx(900 * np.pi, rel=0.01)
    assert disc.perimeter_mm == pytest.approx(60 * np.pi, rel=0.01)
    np.testing.assert_allclose(disc.curvature_per_mm, 1 / 30, atol=0.4 / 30)
