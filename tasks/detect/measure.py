"""Measuring one finding: where it is, how large, and how bright, in the words of a radiologist's report.

Axes are measured as RECIST 1.1 does (doi:10.1016/j.ejca.2008.10.026): the longest diameter of any slice of the scan,
and the longest one perpendicular to it in the same slice, between outlines of voxels rather than their centres.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects
from scipy.spatial import ConvexHull, QhullError

from storage.finding import IntensityStatistics
from storage.volume import Volume

FloatArray = npt.NDArray[np.float64]


def axes_mm(mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Long and perpendicular short axis in mm of a mask ``(z, y, x)``, of the slice with the longest; 0, 0 if empty."""
    best = (0.0, 0.0)
    for plane in mask[mask.any(axis=(1, 2))]:
        corners = _corners(plane, spacing_mm[1:])
        # The longest diameter of a slice cannot exceed the diagonal of its box: most slices need no closer look.
        if np.hypot(*np.ptp(corners, axis=0)) <= best[0]:
            continue
        best = max(best, _diameters(corners))
    return best


def intensity_statistics(values: npt.ArrayLike, unit: str) -> IntensityStatistics:
    """Statistics of the intensities of a finding; the standard deviation is the population's."""
    v = np.asarray(values, dtype=float)
    return IntensityStatistics(
        unit=unit,
        mean=_round(v.mean()),
        sd=_round(v.std()),
        minimum=_round(v.min()),
        median=_round(np.median(v)),
        maximum=_round(v.max()),
    )


def centroid_mm(mask: Volume) -> tuple[float, float, float]:
    """Centre of mass of a mask as LPS position in mm."""
    x, y, z = mask.to_world_mm(np.mean(np.nonzero(mask.array), axis=1))
    return _round(x), _round(y), _round(z)


def touches_border(mask: npt.NDArray[np.bool_]) -> bool:
    """Whether a mask reaches the edge of the image, so that part of the lesion may lie outside."""
    box = find_objects(mask.astype(np.uint8))[0]
    return any(axis.start == 0 or axis.stop == n for axis, n in zip(box, mask.shape, strict=True))


def _corners(plane: npt.NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> FloatArray:
    """Corners of the pixels of a mask in mm, reduced to their convex hull."""
    pixels = np.argwhere(plane)
    offsets = np.asarray([(0, 0), (0, 1), (1, 0), (1, 1)])
    corners = np.unique((pixels[:, None, :] + offsets).reshape(-1, 2), axis=0) * np.asarray(spacing_mm)
    try:
        hull: FloatArray = corners[ConvexHull(corners).vertices]
    except QhullError:
        return np.asarray(corners)
    return hull


def _diameters(corners: FloatArray) -> tuple[float, float]:
    """Longest diameter of a convex outline, and the longest chord at right angles to it."""
    distance = np.linalg.norm(corners[:, None] - corners[None], axis=-1)
    first, second = np.unravel_index(int(np.argmax(distance)), distance.shape)
    along = (corners[second] - corners[first]) / distance[first, second]
    x, y = np.asarray([along, (-along[1], along[0])]) @ (corners - corners[first]).T
    y[[first, second]] = 0.0
    # Nothing lies beyond the ends of the longest diameter, so each side of the outline has one height at each x, and
    # the outline is widest at a corner.
    upper, lower = (np.interp(x, *_by_x(x[side], y[side])) for side in (y >= 0, y <= 0))
    return float(distance[first, second]), float((upper - lower).max())


def _by_x(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(x)
    return x[order], y[order]


def _round(value: float) -> float:
    return round(float(value), 4)
