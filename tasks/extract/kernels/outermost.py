"""The voxels of a mask that may be corners of its convex hull."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def outermost(mask: Array) -> Array:
    """Points half a voxel beyond voxels, along each axis along which these end their row.

    A corner of the hull ends its rows along all three axes; the points of all other voxels are left out.

    Parameters
    ----------
    mask
        bool ``(z, y, x)``.

    Returns
    -------
    numpy.ndarray
        float64 ``(n, 3)``, in voxels.
    """
    depth, height, width = mask.shape
    first_x, last_x = np.full((depth, height), width), np.full((depth, height), -1)
    first_y, last_y = np.full((depth, width), height), np.full((depth, width), -1)
    first_z, last_z = np.full((height, width), depth), np.full((height, width), -1)
    for z in range(depth):
        for y in range(height):
            row = mask[z, y]
            for x in range(width):
                if row[x]:
                    first_x[z, y] = min(first_x[z, y], x)
                    last_x[z, y] = x
                    first_y[z, x] = min(first_y[z, x], y)
                    last_y[z, x] = y
                    first_z[y, x] = min(first_z[y, x], z)
                    last_z[y, x] = z
    points = np.empty((12 * depth * height, 3))
    count = 0
    for z in range(depth):
        for y in range(height):
            first, last = first_x[z, y], last_x[z, y]
            x = first
            while x <= last:  # an empty row begins behind its end
                at_z = (z == first_z[y, x], z == last_z[y, x])
                at_y = (y == first_y[z, x], y == last_y[z, x])
                if (at_z[0] or at_z[1]) and (at_y[0] or at_y[1]):
                    ends = (at_z, at_y, (x == first, x == last))
                    for axis in range(3):
                        for side in range(2):
                            if ends[axis][side]:
                                points[count] = (z, y, x)
                                points[count, axis] += side - 0.5
                                count += 1
                x = last if x < last else last + 1
    return points[:count]
