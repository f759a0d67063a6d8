"""The five taps of a pyramid along one axis: down to half the voxels, and up again.

Arrays are ``(before, axis, after)``: all axes before and after the one that is worked on, flattened. Functions work on
the lines ``start … stop`` of the result, counted over ``before`` and the axis together. Beyond its ends an image is
mirrored at its first and last voxel: ``c b | a b c``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def reduce_lines(fine: Array, coarse: Array, weights: Array, start: int, stop: int) -> None:
    """``coarse[i] = Σ weights[m] fine[2i + m - 2]``; weights in the precision of ``coarse``."""
    count = fine.shape[1]
    number = coarse.dtype.type
    taps = np.empty(5, dtype=np.int64)
    for line in range(start, stop):
        before, at = line // coarse.shape[1], line % coarse.shape[1]
        for m in range(5):
            place = abs(2 * at + m - 2)
            taps[m] = max(0, min(place, 2 * (count - 1) - place))
        a, b, c = fine[before, taps[0]], fine[before, taps[1]], fine[before, taps[2]]
        d, e = fine[before, taps[3]], fine[before, taps[4]]
        out = coarse[before, at]
        for x in range(len(out)):
            inner = weights[1] * (number(b[x]) + number(d[x]))
            outer = weights[0] * (number(a[x]) + number(e[x]))
            out[x] = outer + inner + weights[2] * number(c[x])


@njit(cache=True, nogil=True)
def expand_lines(coarse: Array, fine: Array, weights: Array, start: int, stop: int) -> None:
    """``fine[i] = 2 Σ weights[m] coarse[(i - m + 2) / 2]`` over whole places; weights in the precision of ``fine``."""
    last = coarse.shape[1] - 1
    beyond = max(0, last - fine.shape[1] % 2)  # mirrored on the fine grid, where an even axis ends between two places
    two = fine.dtype.type(2)
    for line in range(start, stop):
        before, at = line // fine.shape[1], line % fine.shape[1]
        place, out = at // 2, fine[before, at]
        here, right = coarse[before, place], coarse[before, place + 1 if place < last else beyond]
        if at % 2:
            for x in range(len(out)):
                out[x] = two * weights[1] * (here[x] + right[x])
        else:
            left = coarse[before, min(abs(place - 1), last)]
            for x in range(len(out)):
                out[x] = two * (weights[0] * (left[x] + right[x]) + weights[2] * here[x])
