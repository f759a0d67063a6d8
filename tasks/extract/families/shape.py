"""Shape of the mask: morphological features of the IBSI, section 3.1 (arXiv:1612.07003).

They are measured on the morphological mask; only the shift of the centre of mass and the integrated intensity also
look at intensities, those of the intensity mask. The *mesh* is the marching-cubes surface at half height between voxel
centres; its volume is the sum of its signed tetrahedra. The *principal axes* are those of the covariance of the voxel
centres, with n - 1 below the sum, as the reference values have it. All lengths are in mm, so that anisotropic voxels
need no care.

Moran's I and Geary's C are the family ``autocorrelation``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.legendre import legval

from storage.volume import FloatArray
from tasks.extract.enclosing import smallest_box, smallest_ellipsoid
from tasks.extract.feature import FeatureInfo
from tasks.extract.hull import corners_of, diameter_mm, mesh_hull
from tasks.extract.mesh import Mesh, measure_mesh
from tasks.extract.region import Region
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from scipy.spatial import ConvexHull

OF_THE_MASK = True
OF_RESPONSES = False
NAN = float("nan")

ONE_VOXEL = "there is only one voxel"
FLAT = "the voxels lie in a plane"
FEATURES = {
    "volume_mesh": FeatureInfo("RNU0", "mm3", "Volume of the mesh.", "morph_volume"),
    "volume_voxels": FeatureInfo("YEKZ", "mm3", "Number of voxels times the volume of one.", "morph_vol_approx"),
    "surface_area": FeatureInfo("C0JK", "mm2", "Area of the mesh.", "morph_area_mesh"),
    "surface_to_volume": FeatureInfo("2PR5", "1/mm", "Area over volume of the mesh.", "morph_av"),
    "compactness_1": FeatureInfo("SKGS", "1", "V / (sqrt(pi) A^1.5); 0.053 for a ball.", "morph_comp_1"),
    "compactness_2": FeatureInfo("BQWJ", "1", "36 pi V^2 / A^3; 1 for a ball.", "morph_comp_2"),
    "spherical_disproportion": FeatureInfo("KRCK", "1", "Area over that of a ball of equal volume.", "morph_sph_dispr"),
    "sphericity": FeatureInfo("QCFX", "1", "Area of a ball of equal volume over the area.", "morph_sphericity"),
    "asphericity": FeatureInfo("25C7", "1", "Spherical disproportion less 1.", "morph_asphericity"),
    "centre_of_mass_shift": FeatureInfo(
        "KLMA",
        "mm",
        "Distance between the centres of the voxels and of their intensities.",
        "morph_com",
        "the intensities sum to 0",
    ),
    "maximum_diameter": FeatureInfo("L0JK", "mm", "Largest distance between two vertices of the mesh.", "morph_diam"),
    "major_axis_length": FeatureInfo("TDIC", "mm", "4 sqrt(largest principal variance).", "morph_pca_maj_axis"),
    "minor_axis_length": FeatureInfo("P9VJ", "mm", "4 sqrt(second principal variance).", "morph_pca_min_axis"),
    "least_axis_length": FeatureInfo("7J51", "mm", "4 sqrt(smallest principal variance).", "morph_pca_least_axis"),
    "elongation": FeatureInfo(
        "Q3CK", "1", "Minor over major axis; 1 is not elongated.", "morph_pca_elongation", ONE_VOXEL
    ),
    "flatness": FeatureInfo("N17B", "1", "Least over major axis; 1 is not flat.", "morph_pca_flatness", ONE_VOXEL),
    "volume_density_box": FeatureInfo(
        "PBX1", "1", "Mesh volume over that of the axis-aligned box.", "morph_vol_dens_aabb"
    ),
    "area_density_box": FeatureInfo(
        "R59B", "1", "Mesh area over that of the axis-aligned box.", "morph_area_dens_aabb"
    ),
    "volume_density_ellipsoid": FeatureInfo(
        "6BDE", "1", "Mesh volume over that of the principal ellipsoid.", "morph_vol_dens_aee", FLAT
    ),
    "area_density_ellipsoid": FeatureInfo(
        "RDD2", "1", "Mesh area over that of the principal ellipsoid.", "morph_area_dens_aee", FLAT
    ),
    "volume_density_hull": FeatureInfo(
        "R3ER", "1", "Mesh volume over that of its convex hull (solidity).", "morph_vol_dens_conv_hull"
    ),
    "area_density_hull": FeatureInfo(
        "7T7F", "1", "Mesh area over that of its convex hull.", "morph_area_dens_conv_hull"
    ),
    "integrated_intensity": FeatureInfo(
        "99N0", "intensity mm3", "Mesh volume times mean intensity.", "morph_integ_int", "no intensity is left"
    ),
}
ENCLOSING = {
    "volume_density_oriented_box": FeatureInfo(
        "ZH1A", "1", "Mesh volume over that of the smallest box with a face on the hull.", "morph_vol_dens_ombb"
    ),
    "area_density_oriented_box": FeatureInfo(
        "IQYR", "1", "Mesh area over that of the smallest box with a face on the hull.", "morph_area_dens_ombb"
    ),
    "volume_density_enclosing_ellipsoid": FeatureInfo(
        "SWZ1", "1", "Mesh volume over that of the smallest ellipsoid around it.", "morph_vol_dens_mvee"
    ),
    "area_density_enclosing_ellipsoid": FeatureInfo(
        "BRI8", "1", "Mesh area over that of the smallest ellipsoid around it.", "morph_area_dens_mvee"
    ),
}


class Settings(StageSettings):
    """What is asked for beyond the standard's reference values.

    Attributes
    ----------
    enclosing
        Densities of the oriented box and of the ellipsoid of least volume too: slow, and the standard has no values to
        check them against. See :mod:`tasks.extract.enclosing`.
    """

    enclosing: bool = False


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """The features with reference values, and those that ``enclosing`` adds."""
    return FEATURES | ENCLOSING if settings.enclosing else dict(FEATURES)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Shape of the region's mask, by the names of `features`."""
    core = region.core
    mesh = measure_mesh(core.mask, core.spacing_mm)
    hull = mesh_hull(core.mask, core.spacing_mm)
    count, centre, covariance = _moments(core)
    axes = _axis_lengths(covariance, core)
    box = np.array(core.mask.shape) * core.spacing_mm
    box_area = 2 * (box[0] * box[1] + box[1] * box[2] + box[2] * box[0])
    found = {
        "volume_mesh": mesh.volume_mm3,
        "volume_voxels": count * core.voxel_mm3,
        "surface_area": mesh.area_mm2,
        **_roundness(mesh),
        "centre_of_mass_shift": _shift(core, centre),
        "maximum_diameter": diameter_mm(corners_of(hull)),
        "major_axis_length": float(axes[0]),
        "minor_axis_length": float(axes[1]),
        "least_axis_length": float(axes[2]),
        "elongation": float(axes[1] / axes[0]) if axes[0] else NAN,
        "flatness": float(axes[2] / axes[0]) if axes[0] else NAN,
        "volume_density_box": mesh.volume_mm3 / float(box.prod()),
        "area_density_box": mesh.area_mm2 / float(box_area),
        **_density_in_ellipsoid(mesh, axes / 2, "ellipsoid"),
        "volume_density_hull": mesh.volume_mm3 / float(hull.volume),
        "area_density_hull": mesh.area_mm2 / float(hull.area),
        "integrated_intensity": mesh.volume_mm3 * float(core.values.mean()) if core.values.size else NAN,
    }
    return found | _density_in_enclosing(mesh, hull) if settings.enclosing else found


def _density_in_enclosing(mesh: Mesh, hull: ConvexHull) -> dict[str, float]:
    box = smallest_box(hull)
    return {
        "volume_density_oriented_box": mesh.volume_mm3 / box.volume_mm3,
        "area_density_oriented_box": mesh.area_mm2 / box.area_mm2,
        **_density_in_ellipsoid(mesh, smallest_ellipsoid(corners_of(hull)), "enclosing_ellipsoid"),
    }


def _density_in_ellipsoid(mesh: Mesh, semi_axes_mm: FloatArray, name: str) -> dict[str, float]:
    """Densities in an ellipsoid of these semi-axes, descending; NaN where it is flat."""
    volume, area = 4 / 3 * np.pi * float(semi_axes_mm.prod()), _ellipsoid_area(*semi_axes_mm)
    return {
        f"volume_density_{name}": mesh.volume_mm3 / volume if volume else NAN,
        f"area_density_{name}": mesh.area_mm2 / area,
    }


def _roundness(mesh: Mesh) -> dict[str, float]:
    volume, area = mesh
    sphericity = (36 * np.pi * volume**2) ** (1 / 3) / area
    return {
        "surface_to_volume": area / volume,
        "compactness_1": volume / (np.pi**0.5 * area**1.5),
        "compactness_2": float(sphericity**3),
        "spherical_disproportion": float(1 / sphericity),
        "sphericity": float(sphericity),
        "asphericity": float(1 / sphericity - 1),
    }


def _moments(region: Region) -> tuple[int, FloatArray, FloatArray]:
    """Number of voxels, their centre in mm from the first one, and the covariance of their places in mm²."""
    sums = {(a, b): region.mask.sum(axis=3 - a - b) for a, b in ((0, 1), (0, 2), (1, 2))}
    places = [np.arange(n) * s for n, s in zip(region.mask.shape, region.spacing_mm, strict=True)]
    along = [sums[0, 1].sum(axis=1), sums[0, 1].sum(axis=0), sums[0, 2].sum(axis=0)]
    count = int(along[0].sum())
    centre = np.array([(number * place).sum() for number, place in zip(along, places, strict=True)]) / count
    apart = [place - middle for place, middle in zip(places, centre, strict=True)]
    covariance = np.diag([(number * distance**2).sum() for number, distance in zip(along, apart, strict=True)])
    for (a, b), number in sums.items():
        covariance[a, b] = covariance[b, a] = np.einsum("i,ij,j", apart[a], number, apart[b])
    return count, centre, covariance / max(count - 1, 1)


def _axis_lengths(covariance: FloatArray, region: Region) -> FloatArray:
    """Principal axis lengths in mm, descending."""
    variances = np.linalg.eigvalsh(covariance)[::-1]
    # Rounding may leave a variance of -1e-15 or +1e-15 where a flat region has none.
    return np.asarray(4 * np.sqrt(np.where(variances > 1e-9 * min(region.spacing_mm) ** 2, variances, 0.0)))


def _shift(region: Region, centre: FloatArray) -> float:
    """Distance in mm from the centre of the voxels to that of the intensities; NaN where these sum to 0."""
    total = float(region.values.sum())
    if not total:
        return NAN
    counted = np.where(region.counted, region.image, 0.0)
    planes = counted.sum(axis=0)
    along = (counted.sum(axis=(1, 2)), planes.sum(axis=1), planes.sum(axis=0))
    spacing = region.spacing_mm
    places = [(sums * np.arange(sums.size)).sum() * s / total for sums, s in zip(along, spacing, strict=True)]
    return float(np.linalg.norm(np.array(places) - centre))


def _ellipsoid_area(a: float, b: float, c: float) -> float:
    """Area of an ellipsoid of semi-axes a ≥ b ≥ c by the standard's Legendre series of 20 terms; NaN where flat."""
    if c <= 0:
        return NAN
    alpha, beta = np.sqrt(1 - (b / a) ** 2), np.sqrt(1 - (c / a) ** 2)
    if alpha == 0 or beta == 0:
        # The series divides by alpha * beta; its limit is reached through the term that remains.
        alpha, beta = max(alpha, 1e-8), max(beta, 1e-8)
    orders = np.arange(21)
    terms = (alpha * beta) ** orders / (1 - 4 * orders.astype(float) ** 2)
    return float(4 * np.pi * a * b * legval((alpha**2 + beta**2) / (2 * alpha * beta), terms))
