"""The array that a stage works on, with its place in the patient.

Words used everywhere in the project:

- *axis order* ``zyx``: arrays are indexed ``[slice, row, column]``.
- *world* or *patient* coordinates: DICOM LPS in mm, written ``(x, y, z)``: towards the patient's Left, Posterior,
  Superior.
- *voxel coordinates*: array indices ``(z, y, x)``; integers are voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Triple = tuple[float, float, float]
FloatArray = npt.NDArray[np.floating[Any]]

IDENTITY_DIRECTION = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
"""Axial slices, head up: array axis z runs to S, y to P, x to L."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D image or mask with exact geometry.

    Attributes
    ----------
    array
        Shape ``(z, y, x)``.
    spacing_mm
        Distance between voxel centres along the array axes ``(z, y, x)``, in mm, all positive.
    origin_mm
        LPS position ``(x, y, z)`` of the centre of voxel ``[0, 0, 0]``, in mm.
    direction
        3×3; **column j is the LPS unit vector along array axis j** (axes in order z, y, x), so that
        ``world = origin_mm + direction @ (spacing_mm * index_zyx)``. Oblique and left-handed frames are kept as they
        are.
    unit
        Unit of the intensities: ``"HU"``, ``"SUV"``, ``"arbitrary"``, or ``"label"`` for masks.
    """

    array: npt.NDArray[Any]
    spacing_mm: Triple
    origin_mm: Triple = (0.0, 0.0, 0.0)
    direction: tuple[Triple, Triple, Triple] = IDENTITY_DIRECTION
    unit: str = "arbitrary"

    def __post_init__(self) -> None:
        """Refuse a geometry that cannot be one."""
        if self.array.ndim != 3:
            raise ValueError(f"a volume has 3 axes (z, y, x); got shape {self.array.shape}")
        if not all(np.isfinite(s) and s > 0 for s in self.spacing_mm):
            raise ValueError(f"spacing_mm must be positive; got {self.spacing_mm}")
        axes = np.asarray(self.direction, dtype=float)
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
            raise ValueError(f"direction must have three orthonormal columns; got {self.direction}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in ml."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def affine(self) -> FloatArray:
        """4×4 matrix from voxel ``(z, y, x, 1)`` to LPS ``(x, y, z, 1)`` in mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.direction, dtype=float) * np.asarray(self.spacing_mm, dtype=float)
        matrix[:3, 3] = self.origin_mm
        return matrix

    def to_world_mm(self, index_zyx: npt.ArrayLike) -> FloatArray:
        """LPS positions ``(…, 3)`` in mm of voxel coordinates ``(…, 3)``, which may be fractional."""
        index = np.asarray(index_zyx, dtype=float)
        return np.asarray(index @ self.affine[:3, :3].T + np.asarray(self.origin_mm))

    def to_index(self, world_mm: npt.ArrayLike) -> FloatArray:
        """Fractional voxel coordinates ``(…, 3)`` of LPS positions ``(…, 3)`` in mm."""
        offset = np.asarray(world_mm, dtype=float) - np.asarray(self.origin_mm)
        return np.asarray(offset @ np.linalg.inv(self.affine[:3, :3]).T)

    def with_array(self, array: npt.NDArray[Any], unit: str | None = None) -> Volume:
        """Another array of the same shape at the same place, e.g. a mask of this image."""
        if array.shape != self.array.shape:
            raise ValueError(f"expected shape {self.array.shape}; got {array.shape}")
        return replace(self, array=array, unit=self.unit if unit is None else unit)

    def crop(self, start_zyx: tuple[int, int, int], stop_zyx: tuple[int, int, int]) -> Volume:
        """The sub-volume ``[start, stop)`` in voxels; world positions of its voxels do not change."""
        if any(not 0 <= a < b <= n for a, b, n in zip(start_zyx, stop_zyx, self.shape, strict=True)):
            raise ValueError(f"crop {start_zyx}..{stop_zyx} does not fit into {self.shape}")
        box = tuple(slice(a, b) for a, b in zip(start_zyx, stop_zyx, strict=True))
        x, y, z = self.to_world_mm(start_zyx)
        return replace(self, array=self.array[box], origin_mm=(float(x), float(y), float(z)))
