"""Sums of weighted boxes from integral images, for many images at once.

A chunk of features is worked out for all images before the next one, so that whole rows of the result leave the cache;
and within it so many images at a time as one instruction after another serves side by side.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array

LANES = 32
"""Images side by side."""
CHUNK = 64
"""Features of a chunk."""


@njit(cache=True, nogil=True)
def weigh_boxes(
    integrals: Array, pattern: Array, at: Array, size: Array, taps: tuple[Array, ...], out: Array, start: int, stop: int
) -> None:
    """Values of the features ``start … stop``.

    Parameters
    ----------
    integrals
        float64 ``(groups, z + 1, y + 1, x + 1, LANES)``, C-contiguous: the images of a group lie side by side. Of the
        last group there may be fewer.
    pattern
        int64 ``(m,)``: which pattern a feature has.
    at, size
        int64 ``(m, 3)``: first voxel, and voxels of one box, along each axis.
    taps
        Where an integral image is read: int64 ``(patterns + 1,)`` first tap of each pattern, int64 ``(taps, 3)``
        corner in boxes, float64 ``(taps,)`` weight.
    out
        ``(m, n)``, C-contiguous.
    """
    rows, columns = integrals.shape[2:4]
    groups = integrals.reshape((len(integrals), -1, LANES))
    most = len(taps[1]) + 3
    offsets, weights, used = np.zeros((CHUNK, most), np.uint64), np.zeros((CHUNK, most)), np.zeros(CHUNK, np.int64)
    total = np.empty(LANES)
    for first in range(start, stop, CHUNK):
        features = min(CHUNK, stop - first)
        for f in range(features):
            i = first + f
            used[f] = _locate(pattern[i], at[i], size[i], taps, rows, columns, offsets[f], weights[f])
        for group in range(len(groups)):
            low = group * LANES
            lanes = min(LANES, out.shape[1] - low)
            for f in range(features):
                total[:] = 0.0
                # Four taps at a time spare half of the way to memory and back.
                for tap in range(0, used[f], 4):
                    a, b, c, d = weights[f, tap], weights[f, tap + 1], weights[f, tap + 2], weights[f, tap + 3]
                    p, q, r, s = offsets[f, tap], offsets[f, tap + 1], offsets[f, tap + 2], offsets[f, tap + 3]
                    for lane in range(LANES):
                        nearer = a * groups[group, p, lane] + b * groups[group, q, lane]
                        total[lane] += nearer + c * groups[group, r, lane] + d * groups[group, s, lane]
                for lane in range(lanes):
                    out[first + f, low + lane] = total[lane]


@njit(cache=True, nogil=True)
def _locate(
    pattern: int,
    at: Array,
    size: Array,
    taps: tuple[Array, ...],
    rows: int,
    columns: int,
    offsets: Array,
    weights: Array,
) -> int:
    """Places of a feature's taps in an integral image, and their weights; how many, apart from three of weight 0.

    Corners on the first faces are left out: an integral image is 0 there.
    """
    first, corners, weighs = taps
    used = 0
    for tap in range(first[pattern], first[pattern + 1]):
        z = at[0] + corners[tap, 0] * size[0]
        y = at[1] + corners[tap, 1] * size[1]
        x = at[2] + corners[tap, 2] * size[2]
        if z * y * x != 0:
            offsets[used] = (z * rows + y) * columns + x
            weights[used] = weighs[tap]
            used += 1
    for padding in range(used, used + 3):
        offsets[padding], weights[padding] = 0, 0.0
    return used
