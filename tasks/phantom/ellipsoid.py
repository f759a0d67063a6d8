"""An ellipsoid in the patient: the one shape whose volume, contours and partial volume are known exactly.

Every generated nodule is one, so that masks, volumes and positions found by the pipeline have an analytic truth.
World is DICOM LPS in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple

FloatArray = npt.NDArray[np.floating[Any]]
Matrix3 = tuple[Triple, Triple, Triple]

UPRIGHT: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Ellipsoid:
    """A solid ellipsoid.

    Attributes
    ----------
    center_mm
        LPS ``(x, y, z)`` in mm.
    semi_axes_mm
        Lengths of the three semi-axes in mm, all positive.
    axes
        3×3, orthonormal; **column j is the LPS unit vector of semi-axis j**.
    """

    center_mm: Triple
    semi_axes_mm: Triple
    axes: Matrix3 = UPRIGHT

    def __post_init__(self) -> None:
        """Refuse what is no ellipsoid."""
        if not all(np.isfinite(r) and r > 0 for r in self.semi_axes_mm):
            raise ValueError(f"semi_axes_mm must be positive; got {self.semi_axes_mm}")
        axes = np.asarray(self.axes, dtype=float)
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-6):
            raise ValueError(f"axes must have three orthonormal columns; got {self.axes}")

    @property
    def volume_ml(self) -> float:
        """Exact volume, 4/3 π abc, in ml."""
        return float(4.0 / 3.0 * np.pi * np.prod(self.semi_axes_mm)) / 1000.0

    @property
    def diameter_mm(self) -> float:
        """Diameter of the sphere of the same volume, in mm."""
        return float(2.0 * np.prod(self.semi_axes_mm) ** (1.0 / 3.0))

    @property
    def unit_map(self) -> FloatArray:
        """3×3 matrix that maps offsets from the centre (mm) onto offsets in the unit ball."""
        return np.asarray(np.transpose(self.axes) / np.asarray(self.semi_axes_mm, dtype=float)[:, None])

    @property
    def half_extent_mm(self) -> Triple:
        """Half of the smallest LPS box around it, ``(x, y, z)`` in mm."""
        half = np.linalg.norm(np.linalg.inv(self.unit_map), axis=1)
        return float(half[0]), float(half[1]), float(half[2])

    def radius(self, world_mm: npt.ArrayLike) -> FloatArray:
        """Normalised radius of points ``(…, 3)``: 0 at the centre, below 1 inside, 1 on the surface."""
        offset = np.asarray(world_mm, dtype=float) - np.asarray(self.center_mm)
        return np.asarray(np.linalg.norm(offset @ self.unit_map.T, axis=-1))

    def surface(self, points: int = 128) -> FloatArray:
        """``(points, 3)`` positions in mm spread evenly over the surface (spherical Fibonacci lattice)."""
        k = np.arange(points) + 0.5
        height, turn = 1.0 - 2.0 * k / points, np.pi * (1.0 + 5.0**0.5) * k
        ring = np.sqrt(1.0 - height**2)
        ball = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
        return np.asarray(np.asarray(self.center_mm) + ball @ np.linalg.inv(self.unit_map).T)

    def cross_section(
        self, plane_point_mm: npt.ArrayLike, row_axis: npt.ArrayLike, column_axis: npt.ArrayLike, *, points: int = 72
    ) -> FloatArray | None:
        """The ellipse in which a plane cuts the ellipsoid.

        With plane points ``p + s u + t v`` the surface is a quadratic in ``(s, t)``; completing the square gives its
        centre, and a Cholesky factor maps the unit circle onto it.

        Parameters
        ----------
        plane_point_mm
            Any LPS point of the plane, in mm.
        row_axis, column_axis
            Orthonormal LPS vectors ``u, v`` that span it.
        points
            Vertices of the polygon. They lie exactly on the surface, so the polygon's area falls short of the ellipse's
            by the factor ``sin(2π/n) / (2π/n)``: 0.13 % at 72.

        Returns
        -------
        ``(points, 3)`` LPS positions in mm, in order around the ellipse; ``None`` where the plane misses.
        """
        span = self.unit_map @ np.stack([np.asarray(row_axis, float), np.asarray(column_axis, float)], axis=1)
        start = self.unit_map @ (np.asarray(plane_point_mm, float) - np.asarray(self.center_mm))
        gram = span.T @ span
        centre_st = -np.linalg.solve(gram, span.T @ start)
        depth_squared = 1.0 - float(np.sum((start + span @ centre_st) ** 2))
        if depth_squared <= 0.0:
            return None
        angle = 2.0 * np.pi * np.arange(points) / points
        circle = np.sqrt(depth_squared) * np.stack([np.cos(angle), np.sin(angle)])
        s, t = centre_st[:, None] + np.linalg.solve(np.linalg.cholesky(gram).T, circle)
        u, v = np.asarray(row_axis, float), np.asarray(column_axis, float)
        return np.asarray(np.asarray(plane_point_mm, float) + s[:, None] * u + t[:, None] * v)
