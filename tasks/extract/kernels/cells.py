"""The cells between voxels: which of the eight corners of each lie inside a mask."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def count_cells(mask: Array) -> Array:
    """How often each configuration occurs, and where along x.

    Parameters
    ----------
    mask
        uint8 ``(z, y, x)``, 0 and 1, with a frame of zeros.

    Returns
    -------
    numpy.ndarray
        int64 ``(256, 2)``: number of cells, and the sum of the x of their first corners, by configuration: the bits of
        its number, lowest first, are the corners ``(z, y, x)`` 000, 010, 100, 110, 001, 011, 101, 111.
    """
    found = np.zeros((256, 2), dtype=np.int64)
    depth, height, width = mask.shape
    for z in range(depth - 1):
        for y in range(height - 1):
            above, below = mask[z, y], mask[z, y + 1]
            above_next, below_next = mask[z + 1, y], mask[z + 1, y + 1]
            before = 0
            for x in range(1, width):
                behind = above[x] + 2 * below[x] + 4 * above_next[x] + 8 * below_next[x]
                cell = before + 16 * behind
                before = behind
                found[cell, 0] += 1
                found[cell, 1] += x - 1
    return found
