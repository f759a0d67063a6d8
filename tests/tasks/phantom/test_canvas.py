"""The canvas: places and partial volume."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.phantom.canvas import Canvas
from tasks.phantom.ellipsoid import Ellipsoid
from tasks.phantom.tree import Tubes, grow_tree, paint_tubes, polyline

C, S = np.cos(0.4), np.sin(0.4)
OBLIQUE = ((S, 0.0, C), (0.0, 1.0, 0.0), (C, 0.0, -S))
UPRIGHT = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


@pytest.mark.parametrize("direction", [UPRIGHT, OBLIQUE])
def test_the_middle_of_the_grid_is_the_patients_center(direction):
    canvas = Canvas((5, 7, 9), (3.0, 2.0, 1.5), center_mm=(10.0, -20.0, 30.0), direction=direction)
    assert np.allclose(canvas.volume.to_world_mm((2, 3, 4)), (10.0, -20.0, 30.0))
    x, y, z = np.broadcast_arrays(*canvas.coordinates())
    assert np.allclose((x[2, 3, 4], y[2, 3, 4], z[2, 3, 4]), 0.0, atol=1e-5)


@pytest.mark.parametrize("direction", [UPRIGHT, OBLIQUE])
def test_coordinates_are_the_world_seen_from_the_patient(direction):
    canvas = Canvas((5, 7, 9), (3.0, 2.0, 1.5), scale=(0.5, 0.8, 2.0), center_mm=(1.0, 2.0, 3.0), direction=direction)
    box = (slice(1, 4), slice(0, 3), slice(5, 9))
    x, y, z = np.broadcast_arrays(*canvas.coordinates(box))
    expected = canvas.to_patient(canvas.volume.to_world_mm((3, 2, 6)))
    assert np.allclose((x[2, 2, 1], y[2, 2, 1], z[2, 2, 1]), expected, atol=1e-5)


@pytest.mark.parametrize("direction", [UPRIGHT, OBLIQUE])
@pytest.mark.parametrize("center_mm", [(0.0, 0.0, 0.0), (0.37, -0.81, 1.13)])
def test_an_ellipsoid_keeps_volume_and_centroid_below_the_size_of_a_voxel(direction, center_mm):
    canvas = Canvas((14, 26, 26), (2.5, 1.3, 1.3), direction=direction)
    body = Ellipsoid(center_mm, (6.0, 5.0, 7.0))
    cover = canvas.ellipsoid_coverage(body)
    assert cover.sum() * canvas.volume.voxel_ml == pytest.approx(body.volume_ml, rel=0.01)
    index = np.indices(cover.shape).reshape(3, -1) @ cover.ravel() / cover.sum()
    assert np.allclose(canvas.volume.to_world_mm(index), center_mm, atol=0.02)


@pytest.mark.parametrize("radius", [0.6, 1.5, 4.0])
def test_a_tube_keeps_its_cross_section_however_thin(radius):
    canvas = Canvas((40, 24, 24), (1.0, 1.7, 1.7))
    paint_tubes(canvas, polyline([(0.3, -0.4, -30.0), (0.3, -0.4, 30.0)], [radius, radius]), 0.0)
    area_mm2 = (canvas.hu[20] + 1000.0).sum() / 1000.0 * 1.7**2
    assert area_mm2 == pytest.approx(np.pi * radius**2, rel=0.12)


def test_what_lies_off_the_canvas_changes_nothing():
    canvas = Canvas((4, 5, 6), (1.0, 1.0, 1.0))
    paint_tubes(canvas, polyline([(50.0, 0.0, 0.0), (60.0, 0.0, 0.0)], [2.0, 2.0]), 500.0)
    canvas.paint_ellipsoid(Ellipsoid((0.0, 40.0, 0.0), (3.0, 3.0, 3.0)), 500.0)
    assert np.all(canvas.hu == -1000.0)


def test_a_tree_reaches_every_leaf_from_its_root_without_a_gap():
    leaves = np.random.default_rng(0).uniform(-30, 30, (33, 3))
    tree = grow_tree(np.random.default_rng(1), (0.0, 0.0, 0.0), leaves, leaf_radius_mm=0.5, exponent=0.4)
    ends = {tuple(p) for p in tree.end}
    assert {tuple(p) for p in leaves} <= ends
    assert {tuple(p) for p in tree.start} <= ends | {(0.0, 0.0, 0.0)}
    assert isinstance(tree, Tubes)
    assert tree.start_radius.max() == pytest.approx(0.5 * 33**0.4)
