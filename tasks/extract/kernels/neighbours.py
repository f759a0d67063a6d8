"""What the levels around each voxel are: the inner loops of tone difference and dependence matrices."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def add_tone_differences(
    levels: Array, positions: Array, slice_ends: Array, offsets: Array, differences: Array, counts: Array
) -> None:
    """Add up how far each voxel's level is from the mean of its neighbours, for those that have any.

    Parameters
    ----------
    levels, positions, slice_ends
        Of a `Scan`.
    offsets
        ``int64``: the neighbours.
    differences, counts
        ``float64`` and ``int64``, ``(slices or 1, levels + 1)``: the sums and the voxels in them; an axis of 1 merges.
    """
    start = 0
    for z in range(len(slice_ends)):
        s = min(z, len(counts) - 1)
        for k in range(start, slice_ends[z]):
            p = positions[k]
            total, neighbours = 0, 0
            for offset in offsets:
                other = levels[np.uintp(p + offset)]
                total += other
                neighbours += other > 0
            if neighbours:
                level = levels[p]
                differences[s, level] += abs(level - total / neighbours)
                counts[s, level] += 1
        start = slice_ends[z]


@njit(cache=True, nogil=True)
def count_dependences(
    levels: Array, positions: Array, slice_ends: Array, offsets: Array, coarseness: int, counts: Array
) -> None:
    """Add to ``counts[slice, level, n]`` the voxels of which n - 1 neighbours differ by ``coarseness`` or less.

    Parameters
    ----------
    levels, positions, slice_ends
        Of a `Scan`.
    offsets
        ``int64``: the neighbours.
    counts
        ``int32``, ``(slices or 1, levels + 1, neighbours + 2)``; an axis of 1 merges.
    """
    start = 0
    for z in range(len(slice_ends)):
        s = min(z, len(counts) - 1)
        for k in range(start, slice_ends[z]):
            p = positions[k]
            level = levels[p]
            low = max(level - coarseness, 1)  # 0 is no level
            # As unsigned numbers, differences below 0 are large: one comparison instead of two.
            span = np.uint32(level + coarseness - low)
            dependent = np.int64(1)
            for offset in offsets:
                dependent += np.uint32(levels[np.uintp(p + offset)] - low) <= span
            counts[s, level, dependent] += 1
        start = slice_ends[z]


@njit(cache=True, nogil=True)
def complexities(shares: Array, differences: Array) -> Array:
    """Sum over pairs of levels of ``|i - j| (p_i s_i + p_j s_j) / (p_i + p_j)``, of each row.

    Parameters
    ----------
    shares, differences
        ``float64``, ``(rows, levels)``: p and s; where p is 0 there is no level.
    """
    sums = np.zeros(len(shares))
    for row in range(len(shares)):
        p, s = shares[row], differences[row]
        for i in range(len(p)):
            for j in range(i if p[i] > 0 else 0):
                if p[j] > 0:
                    sums[row] += 2 * (i - j) * (p[i] * s[i] + p[j] * s[j]) / (p[i] + p[j])
    return sums
