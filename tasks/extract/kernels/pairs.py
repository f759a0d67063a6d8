"""Pairs of levels at given offsets, counted: the inner loop of co-occurrence matrices.

Both functions take the voxels of a `Scan`: ``levels`` is padded with zeros, so that no offset leads out of it. Places
are unsigned, so that numba does not ask whether they count from the end, which takes a fifth of the time and more.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def count_pairs(levels: Array, positions: Array, slice_ends: Array, offsets: Array, counts: Array) -> None:
    """Add to ``counts[slice, direction, level, level at the offset]``.

    Pairs with a voxel outside of the region are counted too, at level 0: that is cheaper than to ask.

    Parameters
    ----------
    levels, positions, slice_ends
        Of a `Scan`.
    offsets
        ``int64``, ``(directions,)``.
    counts
        ``int32``, ``(slices or 1, directions or 1, levels + 1, levels + 1)``; an axis of 1 merges.
    """
    slices, directions, size, _ = counts.shape
    flat = counts.reshape(-1)
    start = 0
    for z in range(len(slice_ends)):
        first = min(z, slices - 1) * directions
        for k in range(start, slice_ends[z]):
            p = positions[k]
            row = levels[p]
            for d in range(len(offsets)):
                matrix = first + min(d, directions - 1)
                flat[np.uintp((matrix * size + row) * size + levels[np.uintp(p + offsets[d])])] += 1
        start = slice_ends[z]


@njit(cache=True, nogil=True)
def list_pairs(
    levels: Array, positions: Array, slice_ends: Array, offsets: Array, slices: int, directions: int, size: int
) -> Array:
    """The cell of each pair, of which the lower level comes first, in the matrices that `count_pairs` would fill.

    Parameters
    ----------
    slices, directions, size
        Shape of those matrices.

    Returns
    -------
    numpy.ndarray
        ``int64``, one for each pair inside the region.
    """
    cells = np.empty(len(positions) * len(offsets), dtype=np.int64)
    n, start = 0, 0
    for z in range(len(slice_ends)):
        first = min(z, slices - 1) * directions
        for k in range(start, slice_ends[z]):
            a = np.int64(levels[positions[k]])
            for d in range(len(offsets)):
                b = np.int64(levels[positions[k] + offsets[d]])
                if b:
                    matrix = first + min(d, directions - 1)
                    cells[n] = (matrix * size + min(a, b)) * size + max(a, b)
                    n += 1
        start = slice_ends[z]
    return cells[:n]
