"""The convex hull of a mask's mesh, and its largest diameter, from few points.

The vertices of the mesh lie half a voxel from the centres of voxels, along an axis, towards a neighbour outside. Their
hull is the hull of the centres with an octahedron of these half voxels added at each (a Minkowski sum): where a
direction finds its farthest centre, the neighbour beyond is outside the mask. A farthest centre is the first or last of
its row along each of the three axes; only such centres are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from storage.volume import FloatArray, Triple
from tasks.imaging.morphology import BoolArray

if TYPE_CHECKING:
    from scipy.spatial import ConvexHull


def mesh_hull(mask: BoolArray, spacing_mm: Triple) -> ConvexHull:
    """The convex hull of the mesh of a mask ``(z, y, x)`` with at least one voxel, in mm from its first voxel."""
    from scipy.spatial import ConvexHull

    from tasks.extract.kernels.outermost import outermost

    return ConvexHull(outermost(np.ascontiguousarray(mask)) * np.asarray(spacing_mm))


def corners_of(hull: ConvexHull) -> FloatArray:
    """The corners of a hull, ``(n, 3)``."""
    return np.asarray(hull.points[hull.vertices])


def diameter_mm(corners: FloatArray) -> float:
    """The largest distance between two of the corners of a hull."""
    from scipy.spatial.distance import pdist

    return float(np.sqrt(pdist(corners, "sqeuclidean").max()))
