"""Volume and area of the surface of a mask, without making the surface.

The *mesh* is the marching-cubes surface at half height between voxel centres (Lewiner et al. 2003,
doi:10.1080/10867651.2003.10487582), as scikit-image draws it. In a mask, what it draws in a cell between eight voxels
depends on which of them lie inside, and on nothing else: there are 256 configurations. Their triangles are drawn once
per process; a mask is then a matter of counting its cells. The volume within a closed surface is the sum over its
triangles of x times the x-component of their area vectors (the divergence theorem), so that the x of the cells is
needed too, as a sum for each configuration.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from storage.volume import FloatArray, Triple
from tasks.imaging.morphology import BoolArray


class Mesh(NamedTuple):
    """Volume and area within and of the mesh, in mm³ and mm²."""

    volume_mm3: float
    area_mm2: float


def measure_mesh(mask: BoolArray, spacing_mm: Triple) -> Mesh:
    """The mesh of a mask ``(z, y, x)`` with at least one voxel; beyond the array nothing is inside."""
    from tasks.extract.kernels.cells import count_cells

    counts, places = count_cells(np.pad(mask, 1).astype(np.uint8)).T
    cells, triangles = _triangles()
    a, b, c = np.moveaxis(triangles * np.asarray(spacing_mm), 1, 0)
    vectors = np.cross(b - a, c - a) / 2
    middle = (a + b + c)[:, 2] / 3
    area = float(np.linalg.norm(vectors, axis=1) @ counts[cells])
    volume = float(vectors[:, 2] @ (middle * counts[cells] + spacing_mm[2] * places[cells]))
    return Mesh(abs(volume), area)


@cache
def _triangles() -> tuple[FloatArray, FloatArray]:
    """Of all configurations: which one, ``(n,)``, and ``(n, 3 corners, zyx)`` in cells of side 1."""
    from skimage.measure import marching_cubes

    cells, triangles = [], []
    for cell in range(1, 255):
        # The bits are in the order (x, z, y), lowest first.
        corners = np.array([cell >> bit & 1 for bit in range(8)], dtype=np.float32).reshape(2, 2, 2)
        vertices, faces = marching_cubes(corners.transpose(1, 2, 0), level=0.5)[:2]
        triangles.append(vertices[faces].astype(np.float64))
        cells += [cell] * len(faces)
    return np.array(cells), np.concatenate(triangles)
