"""Volume, area, hull and diameter of a mask's mesh: those of the mesh that scikit-image draws, to the digit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import marching_cubes

from storage.volume import Triple
from tasks.extract.enclosing import smallest_box, smallest_ellipsoid
from tasks.extract.hull import corners_of, diameter_mm, mesh_hull
from tasks.extract.mesh import measure_mesh

ONE: Triple = (1.0, 1.0, 1.0)


def drawn(mask: np.ndarray, spacing_mm: Triple) -> tuple[np.ndarray, float, float]:
    """Vertices, volume and area of the whole mesh, whose vertices scikit-image gives in halves of voxels."""
    vertices, faces = marching_cubes(np.pad(mask, 1).astype(np.float32), level=0.5, allow_degenerate=False)[:2]
    vertices = vertices.astype(np.float64) * spacing_mm
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    volume = abs(np.einsum("ij,ij->i", a, np.cross(b, c)).sum()) / 6
    return vertices, volume, np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


def blob(seed: int) -> np.ndarray:
    """Smooth noise above its mean: caves, bridges and islands."""
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(20, 22, 24)), 1.5) > 0.03


@pytest.mark.parametrize("seed", range(3))
def test_the_counted_cells_make_the_mesh_that_scikit_image_draws(seed: int) -> None:
    mask, spacing = blob(seed), (2.5, 0.8, 1.1)
    _, volume, area = drawn(mask, spacing)
    assert measure_mesh(mask, spacing) == pytest.approx((volume, area), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(bool, st.tuples(*[st.integers(1, 5)] * 3)), st.tuples(*[st.floats(0.3, 4.0)] * 3))
def test_every_configuration_of_neighbours_is_measured_right(mask: np.ndarray, spacing_mm: Triple) -> None:
    if not mask.any():
        return
    vertices, volume, area = drawn(mask, spacing_mm)
    assert measure_mesh(mask, spacing_mm) == pytest.approx((volume, area), rel=1e-6)
    hull, whole = mesh_hull(mask, spacing_mm), ConvexHull(vertices)
    assert hull.volume == pytest.approx(whole.volume, rel=1e-6)
    assert hull.area == pytest.approx(whole.area, rel=1e-6)
    assert diameter_mm(corners_of(hull)) == pytest.approx(pdist(vertices).max(), rel=1e-6)


def test_the_hull_of_a_blob_is_that_of_its_mesh() -> None:
    mask, spacing = blob(0), (2.5, 0.8, 1.1)
    vertices = drawn(mask, spacing)[0]
    hull, whole = mesh_hull(mask, spacing), ConvexHull(vertices)
    assert (hull.volume, hull.area) == pytest.approx((whole.volume, whole.area), rel=1e-9)
    assert diameter_mm(corners_of(hull)) == pytest.approx(pdist(vertices).max(), rel=1e-9)


def test_one_voxel_is_an_octahedron_of_its_half_axes() -> None:
    mesh = measure_mesh(np.ones((1, 1, 1), bool), (1.0, 2.0, 3.0))
    assert mesh.volume_mm3 == pytest.approx(1 * 2 * 3 / 6)
    hull = mesh_hull(np.ones((1, 1, 1), bool), (1.0, 2.0, 3.0))
    assert hull.volume == pytest.approx(mesh.volume_mm3)
    assert diameter_mm(corners_of(hull)) == pytest.approx(3.0)


def test_the_smallest_box_of_a_turned_box_is_that_box() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    corners = np.stack(np.meshgrid([0.0, 2.0], [0.0, 3.0], [0.0, 7.0]), axis=-1).reshape(-1, 3) @ turn.T
    box = smallest_box(ConvexHull(corners))
    assert box.volume_mm3 == pytest.approx(42.0)
    assert box.area_mm2 == pytest.approx(2 * (6 + 14 + 21))


def test_the_smallest_ellipsoid_of_a_turned_ellipsoid_has_its_semi_axes() -> None:
    rng = np.random.default_rng(5)
    sphere = rng.normal(size=(400, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    axes_only = np.concatenate([np.eye(3), -np.eye(3), sphere])
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    found = smallest_ellipsoid(axes_only * (5.0, 3.0, 2.0) @ turn.T + 40)
    assert found == pytest.approx([5.0, 3.0, 2.0], rel=1e-3)


def test_the_smallest_ellipsoid_of_a_box_touches_its_corners() -> None:
    corners = np.stack(np.meshgrid([-1.0, 1.0], [-2.0, 2.0], [-3.0, 3.0]), axis=-1).reshape(-1, 3)
    # Its semi-axes are those of the box times the root of three.
    assert smallest_ellipsoid(corners) == pytest.approx([math.sqrt(3) * half for half in (3, 2, 1)], rel=1e-3)
