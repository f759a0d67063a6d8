"""How far the surfaces of two masks are apart: Hausdorff distance, mean distance, surface Dice.

Overlap forgives a thin wrong branch on a large organ, and punishes a shift by half a voxel of a small one; distances in
mm show both. Words: the *surface* of a mask is made of the faces between a voxel inside and one outside; what lies
beyond the array is outside. A face stands for its area, at its centre. So two masks that touch have distance 0 where
they touch, and voxels of any shape count as what they are, unlike centres of border voxels, whose results depend on how
a library finds the border and ignore areas (Podobnik and Vrtovec 2023, arXiv:2410.02630).

The costly thing, `surface_distances`, is computed once; the measures are read from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between two surfaces, face by face; empty arrays for a mask without voxels.

    Attributes
    ----------
    first_mm, second_mm
        From each face of one surface to the nearest face of the other, ``(faces,)``; infinite where the other is empty.
    first_mm2, second_mm2
        Areas of the faces.
    """

    first_mm: FloatArray
    first_mm2: FloatArray
    second_mm: FloatArray
    second_mm2: FloatArray

    @property
    def both_empty(self) -> bool:
        """Whether there is no surface at all: nothing is defined."""
        return not self.first_mm.size and not self.second_mm.size


def surface_distances(first: BoolArray, second: BoolArray, spacing_mm: Sequence[float]) -> SurfaceDistances:
    """Distances between the surfaces of two masks.

    Parameters
    ----------
    first, second
        Boolean, on the same grid, ``(z, y, x)`` or ``(y, x)``.
    spacing_mm
        Along the axes, in mm.

    Raises
    ------
    ValueError
        When the masks are not boolean, differ in shape, or do not fit the spacing.
    """
    from scipy.spatial import cKDTree

    if first.dtype != bool or second.dtype != bool:
        raise ValueError(f"masks must be boolean; got {first.dtype} and {second.dtype}")
    if first.shape != second.shape or first.ndim != len(spacing_mm):
        raise ValueError(f"masks must have one shape with a spacing each; got {first.shape}, {second.shape}")
    here, here_mm2 = _faces(first, spacing_mm)
    there, there_mm2 = _faces(second, spacing_mm)
    if not len(here) or not len(there):
        return SurfaceDistances(np.full(len(here), np.inf), here_mm2, np.full(len(there), np.inf), there_mm2)
    return SurfaceDistances(
        np.asarray(cKDTree(there).query(here)[0], dtype=float),
        here_mm2,
        np.asarray(cKDTree(here).query(there)[0], dtype=float),
        there_mm2,
    )


def hausdorff_mm(distances: SurfaceDistances, *, percentile: float = 95.0) -> float:
    """The larger of both directions' percentile of distances, by area; 100: the Hausdorff distance itself.

    Infinite when one mask is empty, ``nan`` when both are.

    References
    ----------
    Huttenlocher et al. 1993, doi:10.1109/34.232073
    """
    if distances.both_empty:
        return math.nan
    return max(
        _percentile(distances.first_mm, distances.first_mm2, percentile),
        _percentile(distances.second_mm, distances.second_mm2, percentile),
    )


def mean_distance_mm(distances: SurfaceDistances) -> float:
    """Mean of both directions' mean distance, by area; infinite when one mask is empty, ``nan`` when both are.

    References
    ----------
    Heimann et al. 2009, doi:10.1109/TMI.2009.2013851, where both surfaces count as one
    """
    if distances.both_empty:
        return math.nan
    if not distances.first_mm.size or not distances.second_mm.size:
        return math.inf
    ways = (distances.first_mm, distances.first_mm2), (distances.second_mm, distances.second_mm2)
    return float(np.mean([np.average(mm, weights=mm2) for mm, mm2 in ways]))


def surface_dice(distances: SurfaceDistances, *, tolerance_mm: float) -> float:
    """Part of both surfaces' area within a tolerance of the other; 0 when one is empty, ``nan`` when both are.

    References
    ----------
    Nikolov et al. 2021, doi:10.2196/26151
    """
    whole = float(distances.first_mm2.sum() + distances.second_mm2.sum())
    if not whole:
        return math.nan
    near = distances.first_mm2[distances.first_mm <= tolerance_mm].sum()
    near += distances.second_mm2[distances.second_mm <= tolerance_mm].sum()
    return float(near) / whole


def _faces(mask: BoolArray, spacing_mm: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Centres ``(faces, axes)`` in mm from the corner of the grid, and areas ``(faces,)`` in mm² (lengths in 2-D)."""
    spacing = np.asarray(spacing_mm, dtype=float)
    centres, areas = [], []
    for axis in range(mask.ndim):
        margins = [(int(a == axis), int(a == axis)) for a in range(mask.ndim)]
        faces = np.argwhere(np.diff(np.pad(mask, margins), axis=axis))
        at = faces + 0.5
        at[:, axis] = faces[:, axis]
        centres.append(at * spacing)
        areas.append(np.full(len(faces), np.prod(np.delete(spacing, axis))))
    return np.concatenate(centres), np.concatenate(areas)


def _percentile(mm: FloatArray, mm2: FloatArray, percentile: float) -> float:
    """The smallest distance within which this percentage of the area lies; infinite without any."""
    if not mm.size:
        return math.inf
    order = np.argsort(mm)
    share = np.cumsum(mm2[order]) / mm2.sum()
    reached = int(np.searchsorted(share, percentile / 100 - 1e-12))
    return float(mm[order][min(reached, mm.size - 1)])
