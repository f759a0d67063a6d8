"""Running sums of pictures and volumes, in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def running_sums(volumes: Array, sums: Array, along_z: bool, start: int, stop: int) -> None:
    """Sums of all voxels before each one, of the volumes ``start … stop``.

    Parameters
    ----------
    volumes
        ``(n, z, y, x)`` of the type of ``sums``, C-contiguous.
    sums
        ``(n, z + 1, y + 1, x + 1)``, of zeros on its first faces; without ``along_z`` ``(n, z, y + 1, x + 1)``, each
        slice by itself.
    """
    depth, height, width = volumes.shape[1:]
    above = np.empty(width, dtype=sums.dtype)
    for number in range(start, stop):
        for z in range(depth):
            into = sums[number, z + along_z]
            above[:] = 0
            for y in range(height):
                row = above.dtype.type(0)
                for x in range(width):
                    row += volumes[number, z, y, x]
                    above[x] += row
                    into[y + 1, x + 1] = above[x]
                if along_z:
                    before = sums[number, z, y + 1]
                    for x in range(1, width + 1):
                        into[y + 1, x] += before[x]
