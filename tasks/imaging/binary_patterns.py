"""Local binary patterns: which of the neighbours on a circle are at least as bright as the voxel in its middle.

The circle lies in the plane of two axes and has its radius in mm, so that it is an ellipse on anisotropic voxels;
between voxels its points are interpolated linearly. A pattern is *uniform* when the bright points are one run (or none,
or all): flat places, line ends, edges and spots. What is kept of it is the number of bright points, which does not
change when the image is turned by the angle between points, nor when it is mirrored, nor by any change of intensities
that is linear (Ojala et al. 2002, doi:10.1109/TPAMI.2002.1017623, ``LBP^riu2``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple

TIE = 1e-6
"""Times the image's range: neighbours darker by less are as bright. Float32 images hold no finer differences, and what
filters leave of flat places is rounding."""
Codes = npt.NDArray[np.uint8]


def uniform_patterns(
    image: npt.NDArray[Any], *, axes: tuple[int, int], radius_mm: float, spacing_mm: Triple, points: int
) -> Codes:
    """The rotation-invariant uniform pattern of every voxel.

    Parameters
    ----------
    image
        ``(z, y, x)``, finite. Beyond its faces its outermost voxels are repeated.
    axes
        Of the circle's plane, e.g. ``(1, 2)`` for slices.
    radius_mm, spacing_mm
        Of the circle, and of the voxels ``(z, y, x)``.
    points
        On the circle, the first one along the second axis.

    Returns
    -------
    numpy.ndarray
        uint8, same shape: 0 to ``points`` bright points of uniform patterns, ``points + 1`` for all others.
    """
    image = np.asarray(image, dtype=np.float64)
    reach = [int(np.ceil(radius_mm / spacing_mm[axis])) + 1 if axis in axes else 0 for axis in range(3)]
    padded = np.pad(image, [(n, n) for n in reach], mode="edge")
    lowest = -TIE * float(np.ptp(image)) if image.size else 0.0
    bright = np.zeros((points, *image.shape), dtype=bool)
    for point, angle in enumerate(2 * np.pi * np.arange(points) / points):
        offset = [0.0, 0.0, 0.0]
        offset[axes[0]] = radius_mm * np.sin(angle) / spacing_mm[axes[0]]
        offset[axes[1]] = radius_mm * np.cos(angle) / spacing_mm[axes[1]]
        bright[point] = _differences(padded, image, reach, offset) >= lowest
    count = bright.sum(axis=0)
    changes = (bright != np.roll(bright, 1, axis=0)).sum(axis=0)
    return np.where(changes <= 2, count, points + 1).astype(np.uint8)


def _differences(
    padded: npt.NDArray[Any], image: npt.NDArray[Any], reach: list[int], offset: list[float]
) -> npt.NDArray[Any]:
    """Interpolated neighbours less the middle; of equal voxels exactly 0, since differences are what is weighted."""
    found = np.zeros(image.shape)
    rounded = np.round(offset, 9)  # the sine of 180° is not quite 0
    low = np.floor(rounded).astype(int)
    part = rounded - low
    for corner in np.ndindex(*(2 if p else 1 for p in part)):
        weight = float(np.prod([p if c else 1 - p for c, p in zip(corner, part, strict=True)]))
        start = [r + int(a) + c for r, a, c in zip(reach, low, corner, strict=True)]
        there = padded[tuple(slice(s, s + n) for s, n in zip(start, image.shape, strict=True))]
        found += weight * (there - image)
    return found
