"""The intensity statistics of every voxel's neighbourhood."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array

FEATURES = 8


@njit(cache=True, nogil=True)
def statistics_of_voxels(
    image: Array, levels: Array, corners: Array, side: int, out: Array, start: int, stop: int
) -> None:
    """Statistics of the voxels ``start … stop``; NaN where nothing counts.

    Parameters
    ----------
    image
        ``float64``, ``(z, y, x)``.
    levels
        ``int32`` of the same shape; 0 where nothing counts.
    corners
        ``int64``, ``(voxels, 3)``: the first corner of each neighbourhood, a cube of ``side`` voxels inside ``image``.
    out
        ``float32``, ``(voxels, FEATURES)``: mean, variance, skewness, excess kurtosis, median, minimum, maximum, and
        the entropy of the levels in bits.
    """
    values = np.empty(side**3)
    seen = np.empty(side**3, dtype=np.int64)
    of_levels = np.zeros(levels.max() + 1, dtype=np.int32)
    for voxel in range(start, stop):
        z, y, x = corners[voxel]
        n = 0
        for dz in range(side):
            for dy in range(side):
                for dx in range(side):
                    level = levels[z + dz, y + dy, x + dx]
                    if level > 0:
                        values[n], seen[n] = image[z + dz, y + dy, x + dx], level
                        n += 1
        if n == 0:
            out[voxel] = np.nan
            continue
        _moments(values[:n], out[voxel])
        out[voxel, 4] = np.median(values[:n])
        out[voxel, 7] = _entropy(seen[:n], of_levels)


@njit(cache=True, nogil=True)
def _moments(values: Array, out: Array) -> None:
    """Moments and extremes; where all values are equal, everything about their spread is 0."""
    n = len(values)
    low, high, mean = values.min(), values.max(), values.mean()
    second, third, fourth = 0.0, 0.0, 0.0
    for value in values:
        off = value - mean
        second += off * off / n
        third += off * off * off / n
        fourth += off * off * off * off / n
    spread = low < high
    out[0] = mean
    out[1] = second if spread else 0.0
    out[2] = third / second**1.5 if spread else 0.0
    out[3] = fourth / second**2 - 3.0 if spread else 0.0
    out[5], out[6] = low, high


@njit(cache=True, nogil=True)
def _entropy(seen: Array, of_levels: Array) -> float:
    """Entropy of levels in bits; the table of counts is left as it was found, 0 everywhere."""
    n = len(seen)
    for level in seen:
        of_levels[level] += 1
    entropy = 0.0
    for level in seen:
        share = of_levels[level] / n
        if share > 0:
            entropy -= share * np.log2(share)
        of_levels[level] = 0
    return entropy
