"""The smallest box and the smallest ellipsoid around the corners of a convex hull."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from storage.volume import FloatArray

if TYPE_CHECKING:
    from scipy.spatial import ConvexHull

TOLERANCE = 1e-4
MOST_STEPS = 10_000


class OrientedBox(NamedTuple):
    """Volume and area of a box in any orientation."""

    volume_mm3: float
    area_mm2: float


def smallest_box(hull: ConvexHull) -> OrientedBox:
    """The box of least volume among those that lie flush with a face of the hull.

    For each face, the hull is projected along its normal, and the rectangle of least area around the projection is
    found; this has a side flush with an edge of the projection (Freeman & Shapira 1975, doi:10.1145/360881.360919). The
    smallest box of all need not be flush with a face (O'Rourke 1985, doi:10.1007/BF00991005), but a hull of many faces
    leaves little to gain.
    """
    from scipy.spatial import ConvexHull

    corners = hull.points[hull.vertices]
    normals = np.unique(np.round(hull.equations[:, :3], 9), axis=0)
    best = OrientedBox(np.inf, np.inf)
    for normal in normals:
        across = np.linalg.svd(normal[None])[2][1:]
        height = float(np.ptp(corners @ normal))
        flat = corners @ across.T
        outline = flat[ConvexHull(flat).vertices]
        edges = np.roll(outline, -1, axis=0) - outline
        along = edges / np.linalg.norm(edges, axis=1, keepdims=True)
        a = np.ptp(outline @ along.T, axis=0)
        b = np.ptp(outline @ (along[:, ::-1] * (-1, 1)).T, axis=0)
        least = int((a * b).argmin())
        width, length = float(a[least]), float(b[least])
        if height * width * length < best.volume_mm3:
            best = OrientedBox(height * width * length, 2 * (height * width + width * length + length * height))
    return best


def smallest_ellipsoid(corners: FloatArray) -> FloatArray:
    """Semi-axes of the ellipsoid of least volume around points ``(n, 3)`` that do not lie in a plane, descending.

    Khachiyan's ascent with Todd and Yildirim's steps away (doi:10.1016/j.dam.2007.02.013), until the semi-axes are
    right to about 1e-4.
    """
    n, d = corners.shape
    lifted = np.column_stack([corners - corners.mean(axis=0), np.ones(n)])
    share = np.full(n, 1 / n)
    for _ in range(MOST_STEPS):
        inverse = np.linalg.inv(lifted.T @ (lifted * share[:, None]))
        distance = np.einsum("ij,jk,ik->i", lifted, inverse, lifted)
        held = np.where(share > 1e-12, distance, np.inf)
        far, near = int(distance.argmax()), int(held.argmin())
        above, below = distance[far] / (d + 1) - 1, 1 - distance[near] / (d + 1)
        if max(above, below) < TOLERANCE:
            break
        place = far if above >= below else near
        step = (distance[place] - d - 1) / ((d + 1) * (distance[place] - 1))
        if place == near:
            step = max(step, -share[near] / (1 - share[near]))
        share *= 1 - step
        share[place] += step
    centre = share @ corners
    spread = (corners - centre).T @ ((corners - centre) * share[:, None])
    # Every point must lie inside: what is left of the tolerance is added.
    reach = np.einsum("ij,jk,ik->i", corners - centre, np.linalg.inv(spread), corners - centre).max()
    return np.asarray(np.sqrt(np.linalg.eigvalsh(spread) * reach)[::-1])
