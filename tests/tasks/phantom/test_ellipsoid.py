"""Ellipsoids: what can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from storage.volume import Volume
from tasks.phantom.ellipsoid import Ellipsoid
from tasks.phantom.rtstruct import slice_contours


def tilted(center=(3.0, -4.0, 5.0), semi_axes=(9.0, 7.0, 12.0), seed=4):
    u, v, w = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0].tolist()
    return Ellipsoid(center, semi_axes, (tuple(u), tuple(v), tuple(w)))


def polygon_area(points):
    """Area of a planar polygon in 3-D (half the norm of the summed cross products)."""
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0))) / 2.0


def test_a_ball_of_10_mm_radius_has_4_189_ml():
    ball = Ellipsoid((0.0, 0.0, 0.0), (10.0, 10.0, 10.0))
    assert ball.volume_ml == pytest.approx(4.18879, abs=1e-5)
    assert ball.diameter_mm == pytest.approx(20.0)
    assert ball.half_extent_mm == pytest.approx((10.0, 10.0, 10.0))


def test_the_middle_cut_of_a_ball_is_its_great_circle():
    cut = Ellipsoid((1.0, 2.0, 3.0), (5.0, 5.0, 5.0)).cross_section((0, 0, 3), (1, 0, 0), (0, 1, 0), points=720)
    assert np.allclose(np.linalg.norm(cut - (1.0, 2.0, 3.0), axis=1), 5.0)
    assert polygon_area(cut) == pytest.approx(25.0 * np.pi, rel=1e-4)


def test_a_cut_3_mm_off_the_middle_of_a_5_mm_ball_has_a_radius_of_4_mm():
    cut = Ellipsoid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0)).cross_section((7, 7, 3), (1, 0, 0), (0, 1, 0))
    assert np.allclose(np.linalg.norm(cut[:, :2], axis=1), 4.0)
    assert np.allclose(cut[:, 2], 3.0)


def test_a_plane_that_only_touches_or_misses_cuts_nothing():
    ball = Ellipsoid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0))
    assert ball.cross_section((0, 0, 5), (1, 0, 0), (0, 1, 0)) is None
    assert ball.cross_section((0, 0, -9), (1, 0, 0), (0, 1, 0)) is None


def test_every_vertex_of_an_oblique_cut_lies_on_the_surface_and_in_the_plane():
    body = tilted()
    u, v = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 2)))[0].T
    cut = body.cross_section(np.add(body.center_mm, (1.0, 0.5, -1.0)), u, v)
    assert np.allclose(body.radius(cut), 1.0)
    assert np.allclose((cut - cut[0]) @ np.cross(u, v), 0.0, atol=1e-9)


def test_the_surface_points_lie_on_the_surface_and_reach_the_box_around_it():
    body = tilted()
    points = body.surface(4000)
    assert np.allclose(body.radius(points), 1.0)
    reach = np.abs(points - body.center_mm).max(axis=0)
    assert np.all(reach <= np.add(body.half_extent_mm, 1e-9))
    assert np.allclose(reach, body.half_extent_mm, rtol=0.01)


@pytest.mark.parametrize("turn_deg", [0.0, 25.0])
def test_contour_areas_times_slice_distance_give_the_volume_of_the_ellipsoid(turn_deg):
    body = tilted()
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    direction = ((0.0, -s, c), (0.0, c, s), (1.0, 0.0, 0.0))
    grid = Volume(np.zeros((60, 4, 4), np.int16), (0.8, 1.0, 1.0), (-20.0, -20.0, -18.3), direction)
    contours = slice_contours(grid, body, points=360)
    volume_ml = sum(polygon_area(points) for _, points in contours) * 0.8 / 1000.0
    assert volume_ml == pytest.approx(body.volume_ml, rel=0.005)


def test_a_flat_ellipsoid_is_refused():
    with pytest.raises(ValueError, match="semi_axes_mm must be positive"):
        Ellipsoid((0.0, 0.0, 0.0), (5.0, 0.0, 5.0))


def test_skewed_axes_are_refused():
    with pytest.raises(ValueError, match="orthonormal"):
        Ellipsoid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0), ((1.0, 0.5, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
