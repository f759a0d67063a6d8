"""From contours to voxels.

A voxel belongs to a region when its centre lies inside: inside by the even-odd rule, so that a contour within a
contour is a hole, however the two are ordered or wound, and whether the hole is cut out or reached by a keyhole.
Contours are points in patient space; they are carried to voxel coordinates by the volume's own geometry, so that
oblique volumes are nothing special.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from storage.volume import FloatArray, Volume

PARALLEL_TOLERANCE = 0.25
"""How far the points of a contour may leave a common plane, in slice distances."""

SAME_PLANE = 0.05
"""Contours closer than this lie in one plane, in slice distances."""

COARSER_PLANES = 1.5
"""Planes at least so far apart everywhere, in slice distances, were drawn on another, coarser image."""

_INDEX_DECIMALS = 6
"""A millionth of a voxel: rounds away what the change of coordinates adds to points on a voxel's centre."""


@dataclass(frozen=True, eq=False)
class PlacedContours:
    """Contours in voxel coordinates.

    Attributes
    ----------
    polygons
        ``(n, 2)`` points ``(row, column)`` by slice.
    outside
        Contours that do not touch the volume at all.
    clipped
        Contours with points beyond the slice's edge.
    between
        Contours left out because another plane lies nearer to the same slice: they were drawn on thinner slices.
    """

    polygons: Mapping[int, Sequence[FloatArray]]
    outside: int
    clipped: int
    between: int


def rasterize(contours: Iterable[npt.ArrayLike], volume: Volume) -> npt.NDArray[np.bool_]:
    """Fill contours by the even-odd rule at voxel centres.

    Parameters
    ----------
    contours
        Closed planar contours, ``(n, 3)`` LPS points in mm each; the last point is joined to the first.
    volume
        Its geometry; the values are not looked at.

    Returns
    -------
    ndarray of bool
        Shape of the volume, ``(z, y, x)``. What lies outside the volume is cut off.

    Raises
    ------
    CaseError
        A contour is not parallel to the slices, or the contours were drawn on coarser slices.
    """
    return fill(place_contours(contours, volume), volume.shape)


def fill(placed: PlacedContours, shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Fill contours that are in voxel coordinates already."""
    from tasks.imaging.kernels.polygon import turn_over

    mask = np.zeros(shape, dtype=bool)
    for index, polygons in placed.polygons.items():
        for points in polygons:
            turn_over(mask[index], points[:, 0], points[:, 1])
    return mask


def place_contours(contours: Iterable[npt.ArrayLike], volume: Volume) -> PlacedContours:
    """Carry contours to voxel coordinates and assign each to the slice whose centre is nearest.

    Where several planes fall to one slice, the nearest one counts: to join them by the even-odd rule would cancel them.
    """
    indices = [np.round(volume.to_index(contour), _INDEX_DECIMALS) for contour in contours]
    for index in indices:
        if np.ptp(index[:, 0]) > PARALLEL_TOLERANCE:
            raise CaseError(
                f"a contour crosses {np.ptp(index[:, 0]):.1f} slices; expected contours parallel to the slices"
            )
    heights = [float(index[:, 0].mean()) for index in indices]
    _check_not_coarser(heights)
    slices = [int(np.floor(height + 0.5)) for height in heights]
    nearest: dict[int, float] = {}
    for height, slice_ in sorted(zip(heights, slices, strict=True)):
        if slice_ not in nearest or abs(height - slice_) < abs(nearest[slice_] - slice_):
            nearest[slice_] = height
    polygons: dict[int, list[FloatArray]] = defaultdict(list)
    outside = clipped = between = 0
    edge = np.array(volume.shape[1:]) - 0.5
    for index, height, slice_ in zip(indices, heights, slices, strict=True):
        points = index[:, 1:]
        if not 0 <= slice_ < volume.shape[0] or (points.max(0) < -0.5).any() or (points.min(0) > edge).any():
            outside += 1
        elif abs(height - nearest[slice_]) > SAME_PLANE:
            between += 1
        else:
            clipped += bool((points < -0.5).any() or (points > edge).any())
            polygons[slice_].append(points)
    return PlacedContours(polygons, outside, clipped, between)


def _check_not_coarser(heights: Sequence[float]) -> None:
    """Refuse contours that leave slices between them empty everywhere."""
    gaps = np.diff(np.sort(heights))
    gaps = gaps[gaps > SAME_PLANE]
    if gaps.size >= 2 and gaps.min() >= COARSER_PLANES:
        raise CaseError(
            f"contours lie {gaps.min():.1f} slices apart: they were drawn on another image with coarser slices"
        )
