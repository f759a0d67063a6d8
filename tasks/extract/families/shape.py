"""Shape of the mask: morphological features of the IBSI, section 3.1 (arXiv:1612.07003).

The *mesh* is the marching-cubes surface at half height between voxel centres; its volume is the sum of its signed
tetrahedra. The *principal axes* are those of the covariance of the voxel centres, with n - 1 below the sum, as the
reference values have it. All lengths are in mm, so that anisotropic voxels need no care.

Left out of the standard's list: Moran's I and Geary's C (their cost grows with the square of the number of voxels), and
the densities of the oriented box and the minimum ellipsoid, which have no reference values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.legendre import legval

from storage.volume import FloatArray
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.imaging.morphology import mask_box
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from scipy.spatial import ConvexHull

FEATURES = {
    "volume_mesh": FeatureInfo("RNU0", "mm3", "Volume of the mesh."),
    "volume_voxels": FeatureInfo("YEKZ", "mm3", "Number of voxels times the volume of one."),
    "surface_area": FeatureInfo("C0JK", "mm2", "Area of the mesh."),
    "surface_to_volume": FeatureInfo("2PR5", "1/mm", "Area over volume of the mesh."),
    "compactness_1": FeatureInfo("SKGS", "1", "V / (sqrt(pi) A^1.5); 0.053 for a ball."),
    "compactness_2": FeatureInfo("BQWJ", "1", "36 pi V^2 / A^3; 1 for a ball."),
    "spherical_disproportion": FeatureInfo("KRCK", "1", "Area over that of a ball of equal volume."),
    "sphericity": FeatureInfo("QCFX", "1", "Area of a ball of equal volume over the area."),
    "asphericity": FeatureInfo("25C7", "1", "Spherical disproportion less 1."),
    "centre_of_mass_shift": FeatureInfo(
        "KLMA", "mm", "Distance between the centres of the voxels and of their intensities; NaN where these sum to 0."
    ),
    "maximum_diameter": FeatureInfo("L0JK", "mm", "Largest distance between two vertices of the mesh."),
    "major_axis_length": FeatureInfo("TDIC", "mm", "4 sqrt(largest principal variance)."),
    "minor_axis_length": FeatureInfo("P9VJ", "mm", "4 sqrt(second principal variance)."),
    "least_axis_length": FeatureInfo("7J51", "mm", "4 sqrt(smallest principal variance)."),
    "elongation": FeatureInfo("Q3CK", "1", "Minor over major axis; 1 is not elongated. NaN for one voxel."),
    "flatness": FeatureInfo("N17B", "1", "Least over major axis; 1 is not flat. NaN for one voxel."),
    "volume_density_box": FeatureInfo("PBX1", "1", "Mesh volume over that of the axis-aligned box."),
    "area_density_box": FeatureInfo("R59B", "1", "Mesh area over that of the axis-aligned box."),
    "volume_density_ellipsoid": FeatureInfo(
        "6BDE", "1", "Mesh volume over that of the principal ellipsoid; NaN where this is flat."
    ),
    "area_density_ellipsoid": FeatureInfo(
        "RDD2", "1", "Mesh area over that of the principal ellipsoid; NaN where this is flat."
    ),
    "volume_density_hull": FeatureInfo("R3ER", "1", "Mesh volume over that of its convex hull (solidity)."),
    "area_density_hull": FeatureInfo("7T7F", "1", "Mesh area over that of its convex hull."),
    "integrated_intensity": FeatureInfo("99N0", "intensity mm3", "Mean intensity times mesh volume."),
}


class Settings(StageSettings):
    """No options: the standard leaves none."""


@dataclass(frozen=True)
class _Mesh:
    vertices: FloatArray
    volume: float
    area: float
    hull: ConvexHull


def compute(region: Region, settings: Settings) -> dict[str, float]:  # noqa: ARG001 - all families are called alike
    """Shape of the region's mask, by the names of ``FEATURES``."""
    from scipy.spatial.distance import pdist

    mesh = _mesh(region)
    axes, shift = _axes_and_shift(region)
    box = np.array(
        [(side.stop - side.start) * s for side, s in zip(mask_box(region.mask), region.spacing_mm, strict=True)]
    )
    box_area = 2 * (box[0] * box[1] + box[1] * box[2] + box[2] * box[0])
    ellipsoid_volume = float(np.pi / 6 * axes.prod())
    ellipsoid_area = _ellipsoid_area(*(axes / 2))
    nan = float("nan")
    return {
        "volume_mesh": mesh.volume,
        "volume_voxels": region.values.size * region.voxel_mm3,
        "surface_area": mesh.area,
        **_roundness(mesh.volume, mesh.area),
        "centre_of_mass_shift": shift,
        "maximum_diameter": float(pdist(mesh.vertices[mesh.hull.vertices]).max()),
        "major_axis_length": float(axes[0]),
        "minor_axis_length": float(axes[1]),
        "least_axis_length": float(axes[2]),
        "elongation": float(axes[1] / axes[0]) if axes[0] else nan,
        "flatness": float(axes[2] / axes[0]) if axes[0] else nan,
        "volume_density_box": mesh.volume / float(box.prod()),
        "area_density_box": mesh.area / float(box_area),
        "volume_density_ellipsoid": mesh.volume / ellipsoid_volume if ellipsoid_volume else nan,
        "area_density_ellipsoid": mesh.area / ellipsoid_area if ellipsoid_volume else nan,
        "volume_density_hull": mesh.volume / float(mesh.hull.volume),
        "area_density_hull": mesh.area / float(mesh.hull.area),
        "integrated_intensity": mesh.volume * float(region.values.mean()),
    }


def _mesh(region: Region) -> _Mesh:
    from scipy.spatial import ConvexHull
    from skimage.measure import marching_cubes

    padded = np.pad(region.mask[mask_box(region.mask)], 1).astype(np.float32)
    surface = marching_cubes(padded, level=0.5, spacing=region.spacing_mm, allow_degenerate=False)
    vertices, faces = surface[:2]
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    volume = abs(float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())) / 6
    area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2
    return _Mesh(vertices, volume, area, ConvexHull(vertices))


def _roundness(volume: float, area: float) -> dict[str, float]:
    sphericity = (36 * np.pi * volume**2) ** (1 / 3) / area
    return {
        "surface_to_volume": area / volume,
        "compactness_1": volume / (np.pi**0.5 * area**1.5),
        "compactness_2": float(sphericity**3),
        "spherical_disproportion": float(1 / sphericity),
        "sphericity": float(sphericity),
        "asphericity": float(1 / sphericity - 1),
    }


def _axes_and_shift(region: Region) -> tuple[FloatArray, float]:
    """Principal axis lengths, descending, and the distance between the two centres of mass, all in mm."""
    points = np.argwhere(region.mask) * np.asarray(region.spacing_mm)
    centre = points.mean(axis=0)
    covariance = (points - centre).T @ (points - centre) / max(len(points) - 1, 1)
    # Rounding may leave a variance of -1e-15 or +1e-15 where a flat region has none.
    variances = np.linalg.eigvalsh(covariance)[::-1]
    variances = np.where(variances > 1e-9 * min(region.spacing_mm) ** 2, variances, 0.0)
    total = float(region.values.sum())
    shift = float(np.linalg.norm(region.values @ points / total - centre)) if total else float("nan")
    return 4 * np.sqrt(variances), shift


def _ellipsoid_area(a: float, b: float, c: float) -> float:
    """Area of an ellipsoid of semi-axes a ≥ b ≥ c by the standard's Legendre series of 20 terms; NaN where flat."""
    if c <= 0:
        return float("nan")
    alpha, beta = np.sqrt(1 - (b / a) ** 2), np.sqrt(1 - (c / a) ** 2)
    if alpha == 0 or beta == 0:
        # The series divides by alpha * beta; its limit is reached through the term that remains.
        alpha, beta = max(alpha, 1e-8), max(beta, 1e-8)
    orders = np.arange(21)
    terms = (alpha * beta) ** orders / (1 - 4 * orders.astype(float) ** 2)
    return float(4 * np.pi * a * b * legval((alpha**2 + beta**2) / (2 * alpha * beta), terms))
