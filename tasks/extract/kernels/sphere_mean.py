"""Means over a sphere around voxels, as differences of running sums along its rows."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def sphere_means(image: Array, counted: Array, rows: Array) -> Array:
    """Mean of an image over the part of a sphere that lies inside it, around each voxel of a mask.

    Parameters
    ----------
    image
        float64 ``(z, y, x)``.
    counted
        bool, same shape.
    rows
        int64 ``(m, 3)``: rows of the sphere at ``(dz, dy)`` from its centre, from ``-half`` to ``half`` along x.

    Returns
    -------
    numpy.ndarray
        float64, same shape; 0 outside the mask.
    """
    depth, height, width = image.shape
    reach = rows[:, 2].max()
    sums = _running_sums(image, reach)
    ramp = np.minimum(np.maximum(np.arange(width + 1 + 2 * reach) - reach, 0), width).astype(np.float64)
    means = np.zeros(image.shape)
    total, count = np.empty(width), np.empty(width)
    for z in range(depth):
        for y in range(height):
            at = np.flatnonzero(counted[z, y])
            if not len(at):
                continue
            first, n = at[0], at[-1] + 1 - at[0]
            inside = first >= reach and first + n + reach <= width
            whole = 0
            total[:n], count[:n] = 0.0, 0.0
            for row in range(len(rows)):
                beside_z, beside_y = z + rows[row, 0], y + rows[row, 1]
                if 0 <= beside_z < depth and 0 <= beside_y < height:
                    low, high = first + reach - rows[row, 2], first + reach + rows[row, 2] + 1
                    line = sums[beside_z, beside_y]
                    _add_difference(total[:n], line[low : low + n], line[high : high + n])
                    if inside:
                        whole += high - low
                    else:
                        _add_difference(count[:n], ramp[low : low + n], ramp[high : high + n])
            for x in at:
                means[z, y, x] = total[x - first] / (whole + count[x - first])
    return means


@njit(cache=True, nogil=True)
def _running_sums(image: Array, reach: int) -> Array:
    """Sums along x of what comes before each voxel, going on for ``reach`` voxels beyond either end."""
    depth, height, width = image.shape
    sums = np.zeros((depth, height, width + 1 + 2 * reach))
    for z in range(depth):
        for y in range(height):
            total = 0.0
            for x in range(width):
                total += image[z, y, x]
                sums[z, y, x + 1 + reach] = total
            sums[z, y, width + 1 + reach :] = total
    return sums


@njit(cache=True, nogil=True)
def _add_difference(out: Array, low: Array, high: Array) -> None:
    for x in range(len(out)):
        out[x] += high[x] - low[x]
