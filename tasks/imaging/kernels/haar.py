"""The Haar butterfly over blocks of 2×2 and 2×2×2 voxels, forward and back, in one pass over the image.

Rows first become sums and differences of the 2 or 4 rows of a block, contiguous and therefore quick; then each of them
is split into its even and odd places while it still lies in the nearest cache. Every function works on the coarse
slices (or rows) ``start … stop``. An odd length is made even by its last voxel once more.

Bands are ordered as counted in binary, ``a`` = 0 and ``d`` = 1, first axis first: ``aa, ad, da, dd``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def forward_3d(image: Array, bands: Array, start: int, stop: int) -> None:
    """From ``(z, y, x)`` to ``(8, ⌈z/2⌉, ⌈y/2⌉, ⌈x/2⌉)``, in the precision of ``bands``."""
    depth, height, width = image.shape
    rows = np.empty((4, width + width % 2), dtype=bands.dtype)
    scale = rows.dtype.type(0.5**1.5)
    for z in range(start, stop):
        front, back = image[2 * z], image[min(2 * z + 1, depth - 1)]
        for y in range(bands.shape[2]):
            low = min(2 * y + 1, height - 1)
            _four_rows(front[2 * y], front[low], back[2 * y], back[low], rows, scale)
            for row in range(4):
                _split(rows[row], bands[2 * row, z, y], bands[2 * row + 1, z, y])


@njit(cache=True, nogil=True)
def forward_2d(image: Array, bands: Array, start: int, stop: int) -> None:
    """From ``(y, x)`` to ``(4, ⌈y/2⌉, ⌈x/2⌉)``, in the precision of ``bands``."""
    height, width = image.shape
    rows = np.empty((2, width + width % 2), dtype=bands.dtype)
    half = rows.dtype.type(0.5)
    for y in range(start, stop):
        upper, lower = image[2 * y], image[min(2 * y + 1, height - 1)]
        for x in range(width):
            one, two = rows.dtype.type(upper[x]), rows.dtype.type(lower[x])
            rows[0, x] = (one + two) * half
            rows[1, x] = (one - two) * half
        for row in range(2):
            rows[row, -1] = rows[row, width - 1]
            _split(rows[row], bands[2 * row, y], bands[2 * row + 1, y])


@njit(cache=True, nogil=True)
def inverse_3d(bands: tuple[Array, ...], image: Array, start: int, stop: int) -> None:
    """From eight of ``(⌈z/2⌉, ⌈y/2⌉, ⌈x/2⌉)`` back to ``(z, y, x)``."""
    depth, height, width = image.shape
    rows = np.empty((4, width + width % 2), dtype=image.dtype)
    whole = np.empty_like(rows)
    scale = image.dtype.type(0.5**1.5)
    for z in range(start, stop):
        for y in range(bands[0].shape[1]):
            for row in range(4):
                _join(bands[2 * row][z, y], bands[2 * row + 1][z, y], rows[row])
            _four_rows(rows[0], rows[1], rows[2], rows[3], whole, scale)
            for row in range(4):
                at_z, at_y = 2 * z + row // 2, 2 * y + row % 2
                if at_z < depth and at_y < height:
                    for x in range(width):
                        image[at_z, at_y, x] = whole[row, x]


@njit(cache=True, nogil=True)
def inverse_2d(bands: tuple[Array, ...], image: Array, start: int, stop: int) -> None:
    """From four of ``(⌈y/2⌉, ⌈x/2⌉)`` back to ``(y, x)``."""
    height, width = image.shape
    rows = np.empty((2, width + width % 2), dtype=image.dtype)
    half = image.dtype.type(0.5)
    for y in range(start, stop):
        for row in range(2):
            _join(bands[2 * row][y], bands[2 * row + 1][y], rows[row])
        for x in range(width):
            image[2 * y, x] = (rows[0, x] + rows[1, x]) * half
        if 2 * y + 1 < height:
            for x in range(width):
                image[2 * y + 1, x] = (rows[0, x] - rows[1, x]) * half


@njit(cache=True, nogil=True)
def _four_rows(a: Array, b: Array, c: Array, d: Array, out: Array, scale: float) -> None:
    """Sums and differences of the four rows of a block; its own inverse. A row too short has its last value again."""
    number = out.dtype.type
    width = len(a)
    for x in range(width):
        one, two, three, four = number(a[x]), number(b[x]), number(c[x]), number(d[x])
        front_sum, front_difference = one + two, one - two
        back_sum, back_difference = three + four, three - four
        out[0, x] = (front_sum + back_sum) * scale
        out[1, x] = (front_difference + back_difference) * scale
        out[2, x] = (front_sum - back_sum) * scale
        out[3, x] = (front_difference - back_difference) * scale
    for row in range(4):
        out[row, -1] = out[row, width - 1]


@njit(cache=True, nogil=True)
def _split(row: Array, low: Array, high: Array) -> None:
    for x in range(len(low)):
        even, odd = row[2 * x], row[2 * x + 1]
        low[x] = even + odd
        high[x] = even - odd


@njit(cache=True, nogil=True)
def _join(low: Array, high: Array, row: Array) -> None:
    for x in range(len(low)):
        row[2 * x] = low[x] + high[x]
        row[2 * x + 1] = low[x] - high[x]
